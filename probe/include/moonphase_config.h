/* Read before every file of the Lua: what it takes from outside. */

#ifndef moonphase_config_h
#define moonphase_config_h

#include <stdio.h>

struct lua_State;

/* The standard streams of scripts. */
extern FILE *moonphase_streams[3];
#undef stdin
#undef stdout
#undef stderr
#define stdin (moonphase_streams[0])
#define stdout (moonphase_streams[1])
#define stderr (moonphase_streams[2])

/* The functions of the API say their names. `site` is what is known of the function: 0 before the first call. */
void moonphase_called(const char *function, signed char *site);
#define lua_lock(L) do { static signed char site; (void)(L); moonphase_called(__func__, &site); } while (0)
#define lua_unlock(L) ((void)(L))
#define luai_threadyield(L) ((void)(L))

/* The seed of hashes: 5.4 takes it from here. */
#define luai_makeseed(L) ((void)(L), 0x5eedu)

#endif
