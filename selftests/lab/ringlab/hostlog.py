# SPDX-License-Identifier: GPL-2.0
"""What in the emulated host's kernel log counts as damage."""

import re

# The host is gone, or about to go.
CRASH = re.compile(
    r"Kernel panic|\bOops\b|\bBUG: (unable to|kernel NULL|sched|stack guard)|kernel BUG at|"
    r"general protection fault.*\[#|double fault|invalid opcode: .*\[#|stack segment: .*\[#|"
    r"Machine check|unchecked MSR access error")

# The host lives, but its log must not say this.
DIRTY = re.compile(
    CRASH.pattern + r"|\bWARNING: |\bBUG: |INFO: rcu\w* .*stall|rcu: INFO: .*stall|"
    r"soft lockup|hard LOCKUP|blocked for more than|INFO: task .* blocked|"
    r"possible circular locking|suspicious RCU|sleeping function called|"
    r"ringvm: .*\bleak|unreferenced object|Bad page (state|map)|bad: scheduling|"
    r"scheduling while atomic|refcount_t:|UBSAN:|KASAN:|rss-counter|"
    r"Objects remaining in|kmem_cache_destroy|Slab cache still has objects")


def crashed(console):
    """The first line of a console that tells of the host's death, or None."""
    return next((line for line in console if CRASH.search(line)), None)
