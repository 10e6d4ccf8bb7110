// SPDX-License-Identifier: GPL-2.0
/* Far transfers between rings: SDM vol. 3 §5.8. */
#include "trace.h"

CODE(far_jmp, 32, "ljmp *(%esi)");
CODE(far_call, 32, "lcall *(%esi)");

/* A direct far transfer to every kind of code segment. */
static void direct(const char *name, struct code c)
{
	int cpl, rpl, dpl, conf;

	for (cpl = 0; cpl < 4; cpl++)
	for (rpl = 0; rpl < 4; rpl++)
	for (dpl = 0; dpl < 4; dpl++)
	for (conf = 0; conf < 2; conf++) {
		begin("rings %s cpl%x rpl%x dpl%x%s", name, cpl, rpl, dpl, conf ? " conf" : "");
		ring(cpl);
		code(c);
		set_gdt(SEL_X, desc(0, 0xfffff, (conf ? ACC_CODE_C : ACC_CODE) | DPL(dpl),
				    FL_G | FL_D));
		mem32(M_DATA) = M_CODE + 0x20;
		mem16(M_DATA + 4) = SEL_X | rpl;
		put_bytes(M_CODE + 0x20, "", 0);
		in.r[SI] = M_DATA;
		run();
		show_outcome();
		show_changes();
		line(" a=%x", (u32)(get_gdt(SEL_X) >> 40 & 1));
		end_line();
	}
}

void rings(void)
{
	direct("jmp", far_jmp);
	direct("call", far_call);
}
