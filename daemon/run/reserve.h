/* reserve: a little disk held back in the state directory, given up when the disk is full, so that "this
 * run is paused, the disk is full" can still be written down. */
#ifndef TPLDD_RESERVE_H
#define TPLDD_RESERVE_H

#include <stdbool.h>

/* Takes the reserve if it is not there; without room for it there is none. */
void reserve_hold(int state_dirfd);
/* Gives it up. False when there was none. */
bool reserve_release(int state_dirfd);

#endif
