/* SPDX-License-Identifier: GPL-2.0 */
#ifndef RVM_TEST_COVER_H
#define RVM_TEST_COVER_H

/* real; V86 with and without paging; 16 and 32-bit protected by paging and CPL; compatibility
 * by size and CPL; 64-bit by CPL */
#define COVER_MODES	31

#endif /* RVM_TEST_COVER_H */
