# SPDX-License-Identifier: GPL-2.0
# The part of tools/testing/selftests/lib.mk that these tests use: same
# variables, same targets.
#
# In: TEST_GEN_PROGS, TEST_GEN_PROGS_EXTENDED, TEST_PROGS, LOCAL_HDRS, CFLAGS, LDFLAGS,
# LDLIBS, OUTPUT;
# INSTALL_PATH (default: kselftest_install here).

INSTALL_PATH ?= $(CURDIR)/kselftest_install
CC ?= gcc

TEST_GEN_PROGS := $(patsubst %,$(OUTPUT)/%,$(TEST_GEN_PROGS))
TEST_GEN_PROGS_EXTENDED := $(patsubst %,$(OUTPUT)/%,$(TEST_GEN_PROGS_EXTENDED))

all: $(TEST_GEN_PROGS) $(TEST_GEN_PROGS_EXTENDED)

$(OUTPUT):
	mkdir -p $@

$(OUTPUT)/%: %.c | $(OUTPUT)
	$(CC) $(CFLAGS) $(CPPFLAGS) $(LDFLAGS) $(filter-out $(LOCAL_HDRS),$^) $(LDLIBS) -o $@

run_tests: all
	@./run_programs $(TEST_GEN_PROGS) $(TEST_PROGS)

install: all
	install -d $(INSTALL_PATH)
	install -m 644 settings $(INSTALL_PATH)
	install -m 755 run_programs $(TEST_GEN_PROGS) $(TEST_GEN_PROGS_EXTENDED) $(TEST_PROGS) \
		$(INSTALL_PATH)
	printf '%s\n' $(notdir $(TEST_GEN_PROGS) $(TEST_PROGS)) > $(INSTALL_PATH)/programs

clean:
	rm -f $(TEST_GEN_PROGS) $(TEST_GEN_PROGS_EXTENDED)

.PHONY: all run_tests install clean
