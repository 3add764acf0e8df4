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

/* The functions of the API say their names. */
extern const char *moonphase_function;
extern unsigned long moonphase_wrote;
#define lua_lock(L) ((void)(L), moonphase_function = __func__, (void)++moonphase_wrote)
#define lua_unlock(L) ((void)(L))

/* The seed of hashes: 5.4 takes it from here. */
#define luai_makeseed(L) ((void)(L), 0x5eedu)

#endif
