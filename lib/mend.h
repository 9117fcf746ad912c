/* SPDX-License-Identifier: GPL-2.0 */
/*
 * mend.h - block 0 after a torn write, as a module can go on with it
 */
#ifndef BOW_MEND_H
#define BOW_MEND_H

#include "resume.h"

/* Build r->block from the log block that counts. */
void bow_mend_build(struct bow_resume *r);

#endif /* BOW_MEND_H */
