/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tellcore.h - the module's core learns of a log that is gone on with
 */
#ifndef TESTS_TELLCORE_H
#define TESTS_TELLCORE_H

#include "bow_core.h"
#include "resume.h"

/*
 * What libbow says of these blocks, all kinds but the free ones, which have been told
 * before: the free set is complete when the first of the others comes.
 */
static inline int tell_core(struct bow_core *core, enum bow_resume_kind kind,
			    u64 first, u64 count)
{
	int r = core->map.armed ? 0 : bow_core_resume_begin(core);

	if (r)
		return r;
	switch (kind) {
	case BOW_RESUME_HELD:
		bow_map_resume_held(&core->map, first, count);
		break;
	case BOW_RESUME_TAKEN:
		bow_map_take(&core->map, first, count, NULL);
		break;
	case BOW_RESUME_CHANGED:
		bow_map_resume_changed(&core->map, first, count);
		break;
	default:
		bow_core_resume_claim(core, first, count);
	}
	return 0;
}

#endif /* TESTS_TELLCORE_H */
