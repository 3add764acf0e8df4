/*
** What the probe of a C Lua tells and takes: flat arrays and plain numbers, over the C ABI.
**
** The probe is compiled against the internal headers of a Lua and linked with it into one shared object. Whoever loads that
** object reads the heap through these functions. The probe says what is there and decides nothing.
*/

#ifndef moonphase_probe_h
#define moonphase_probe_h

#include <stddef.h>
#include <stdint.h>

/* Changes whenever a structure or the meaning of a field does. */
#define MP_ABI 3

/* No object: where an index of an object is expected. */
#define MP_NONE UINT32_MAX

/* The kinds of objects, in the order of `Kind` in Moonphase. */
enum {
  MP_STRING, MP_TABLE, MP_CLOSURE, MP_NATIVE_CLOSURE, MP_USERDATA, MP_THREAD, MP_UPVALUE, MP_PROTOTYPE
};

/* Colours, in the order of `Colour`. */
enum { MP_WHITE, MP_OTHER_WHITE, MP_GRAY, MP_BLACK };

/* The flags of an object. */
enum {
  MP_FREED = 1,     /* its block was freed; nothing else of it can be read */
  MP_FIXED = 2,     /* never collected */
  MP_FINALIZER = 4, /* its header says that it is among the objects with finalizers */
  MP_SHORT = 8,     /* a string that must be interned */
  MP_INTERNED = 16, /* a string that is in the bucket of the string table where a search looks */
  MP_OPEN = 32,     /* an upvalue that points elsewhere than into itself */
  MP_WILD = 64      /* no block of the allocator begins there */
};

/* Which references of a table are weak, in the order of `Weakness`. */
enum { MP_NOT_WEAK, MP_WEAK_VALUES, MP_WEAK_KEYS, MP_WEAK_BOTH };

/* Phases, in the order of `Phase`. */
enum {
  MP_PROPAGATE, MP_ENTER_ATOMIC, MP_ATOMIC, MP_SWEEP_STRINGS, MP_SWEEP_ALL, MP_SWEEP_FINALIZABLE,
  MP_SWEEP_TO_BE_FINALIZED, MP_SWEEP_END, MP_CALL_FINALIZERS, MP_PAUSE
};

/* Lists of objects, in the order of `ListName`; then gray lists, in the order of `GrayList`; then the string table. */
enum {
  MP_ALL, MP_FINALIZABLE, MP_TO_BE_FINALIZED, MP_STRINGS, MP_OPEN_UPVALUES, MP_COUNTED_UPVALUES, MP_FIXED_LIST,
  MP_GRAY_LIST, MP_GRAY_AGAIN, MP_WEAK_VALUES_LIST, MP_EPHEMERONS, MP_ALL_WEAK,
  MP_INTERNED_LIST,
  MP_LISTS
};

/* Why one object refers to another. `place` says which of several. */
enum {
  MP_METATABLE,
  MP_ITEM,           /* array item; place: its index, from 1 */
  MP_ENTRY,          /* value of an entry; place: the node */
  MP_KEY,            /* key of an entry; place: the node. Comes right before the value. */
  MP_EMPTY_KEY,      /* key of an entry without a value; place: the node. No reference. */
  MP_PROTOTYPE_OF,
  MP_UPVALUE_OF, MP_NATIVE_UPVALUE, MP_VALUE, MP_USER_VALUE,
  MP_STACK_SLOT, MP_OPEN_UPVALUE,
  MP_SOURCE, MP_CONSTANT, MP_NESTED, MP_UPVALUE_NAME, MP_LOCAL_NAME,
  MP_ENVIRONMENT     /* the environment of a function or userdata, the globals of a thread (5.1) */
};

/* Whether a reference keeps its target alive, in the order of `Strength`. */
enum { MP_STRONG, MP_WEAK, MP_EPHEMERON };

/* Roots. */
enum {
  MP_ROOT_MAIN_THREAD, MP_ROOT_RUNNING_THREAD, MP_ROOT_REGISTRY,
  MP_ROOT_METATABLE  /* of a basic type; MP_ROOT_METATABLE + the number that the Lua has for the type */
};

typedef struct mp_object {
  uint64_t address;
  uint64_t size;       /* bytes of all blocks that are the object's own */
  uint32_t number;     /* the place of its block in the order of allocation, from 1 */
  uint32_t first_edge; /* its references are neighbours */
  uint32_t edges;
  uint32_t slot_thread;/* of an open upvalue: the thread into whose stack it points, or MP_NONE */
  uint32_t slot;       /* and the slot, from 0 */
  uint8_t kind, colour, age, flags, weakness;
  uint8_t marks;       /* the header's byte as it is */
  uint8_t unused[2];
} mp_object;

typedef struct mp_edge {
  uint32_t target;     /* index of an object */
  uint32_t place;
  uint32_t key;        /* of an ephemeron entry: the index of its key */
  uint8_t label, strength;
  uint8_t unused[2];
} mp_edge;

typedef struct mp_range { uint32_t first, count; } mp_range;

typedef struct mp_root { uint32_t root, object; } mp_root;

/* The heap at one moment. The arrays live until the next look. */
typedef struct mp_look {
  const mp_object *objects;
  const mp_edge *edges;
  const uint32_t *members;      /* of all lists, one after the other: indices of objects */
  const mp_root *roots;
  const uint32_t *stack;        /* what is in the slots of the running thread's stack: objects, or MP_NONE */
  mp_range lists[MP_LISTS];
  uint32_t object_count, edge_count, root_count, stack_size;
  uint32_t stack_live;          /* how many slots are in use */
  uint32_t running;             /* the running thread */
  uint32_t generations[2][3];   /* of the lists MP_ALL and MP_FINALIZABLE: where ages begin */
  uint32_t first_old1;
  uint32_t newest;              /* the number of the newest block */
  uint64_t bytes;               /* by the collector's own count */
  uint8_t phase;
  uint8_t generational;
  uint8_t unused[6];
} mp_look;

/* What is glanced at. */
enum {
  MP_AT_WRITTEN,         /* the black objects that may have been written into since the last tick */
  MP_AT_MARKED,          /* all black objects, and the gray ones */
  MP_AT_ALL              /* as well all others that are not dead */
};

/* What a glance shows. */
enum {
  MP_BLACK_TO_WHITE = 1, /* a black object refers strongly to a white one */
  MP_TO_FREED = 2,       /* an object that is not dead refers to a freed one */
  MP_ODD_GRAY = 4        /* there are more or fewer gray objects than the gray lists have; or one has a colour that none of its
                         ** kind has while the collector marks */
};

/* What is told while a script runs. */
enum {
  MP_TICK,        /* an instruction of the VM is about to be executed */
  MP_STEP_BEGIN,  /* `luaC_step` or `luaC_fullgc` is about to work */
  MP_STEP_END,
  MP_BARRIER,     /* a barrier acted: `parent` and `child`; a backward one has no child */
  MP_ENDED        /* the script has ended, and the state is not closed yet */
};

typedef struct mp_event {
  uint32_t kind;        /* of the above */
  uint32_t full;        /* of a step: whether it is a full collection; at the end: whether the last thing that happened was one in which
                        ** nothing of the script ran */
  uint64_t number;      /* how many ticks there were */
  uint64_t frees;       /* how many objects were freed that a look has met */
  uint64_t parent, child; /* addresses of objects, or 0 */
  const char *function; /* the API function that was called last since the last tick and may write into objects, or NULL */
  uint32_t phase;
  uint32_t generational;
  uint32_t moved;       /* whether since the last tick an object has come into another list or age, or a dead one was given out */
} mp_event;

/* How a script ended. */
enum { MP_RETURNED, MP_ERROR, MP_EXITED, MP_STOPPED, MP_OUTPUT_FULL, MP_TICKS_OUT, MP_NO_STATE };

/* Which ticks are told. */
enum {
  MP_NO_TICKS,           /* there are none: the VM runs as it does by itself */
  MP_EVENTFUL_TICKS,     /* those before which the collector worked, something was freed, or written while it marks */
  MP_ALL_TICKS
};

/* What is about to be done at a tick. */
enum { MP_INSTRUCTION, MP_NATIVE_CALL };

typedef struct mp_deed {
  int kind;             /* of the above */
  char name[64];        /* of the instruction, as its Lua calls it; of the native function, by the way from the globals to it.
                        ** Empty if it has none. */
  uint64_t closure;     /* the Lua function that is the first of the call's arguments that is one, or that executes the instruction;
                        ** or 0 */
} mp_deed;

/* What can be damaged of an object. `with` is a number, or the address of an object. */
enum {
  MP_SET_MARKS,         /* its mark byte becomes the number */
  MP_FREE_BLOCK,        /* it leaves its list and is freed */
  MP_UNLINK,            /* it leaves its list */
  MP_REHASH,            /* a string's hash changes, so that it is in the wrong bucket */
  MP_COUNT_BYTES,       /* the collector counts so many bytes more; the object does not matter */
  MP_REDIRECT           /* the value of a table's first entry with an object becomes the given object, or nil without one */
};

/* How the collector is driven, besides what the script and its own debt ask for. By debt and by steps it is at some ticks, never in
** finalizers and hooks nor while it is stopped. */
enum {
  MP_NOT_DRIVEN,
  MP_DRIVEN_BY_DEBT,     /* the next allocation makes a step, at a place of the Lua's own */
  MP_DRIVEN_BY_STEPS,    /* a step is made at the tick */
  MP_DRIVEN_BY_REQUESTS  /* some requests for memory fail, so that it collects everything in an emergency; not in 5.1, which cannot */
};

typedef struct mp_case {
  const char *source, *chunk_name, *prelude;
  size_t source_size, prelude_size;
  void *arena, *stack;          /* memory for the Lua, and for the C stack that it runs on */
  size_t arena_size, stack_size;
  size_t arena_dirty;           /* how many bytes of the arena were written before, from the beginning */
  uint64_t memory_limit;        /* bytes that may be alive at once */
  uint64_t output_limit;        /* bytes that the script may print */
  int64_t now;                  /* what the clocks say */
  uint64_t tick_limit;          /* how many ticks there may be */
  int ticks;                    /* of the above */
  int collects;                 /* whether full collections come before the end */
  int driven;                   /* of the above */
  uint32_t drive_rate;          /* at one tick or request in so many, by chance */
  uint64_t drive_seed;
  int generational;             /* whether the script begins in generational mode, where there is one */
  /* Told of each event. Another result than 0 ends the script at once; no finalizer is called. */
  int (*event)(void *context, const mp_event *event);
  void *context;
} mp_case;

typedef struct mp_result {
  int end;
  int status;                   /* of a script that ended itself */
  const char *message;          /* of an error; lives until the next case */
  size_t message_size;
  const char *output;           /* lives until the next case */
  size_t output_size;
  size_t arena_used;            /* how many bytes of the arena were written */
  uint64_t ticks;               /* how many there were */
} mp_result;

/* The functions of an engine. Those below `run` are for callbacks: an address is that of an object which is not freed. */
typedef struct mp_engine {
  uint32_t abi;
  uint32_t version;             /* LUA_VERSION_NUM */
  const char *release;
  void (*run)(const mp_case *given, mp_result *result);
  const mp_look *(*look)(void);
  /* What a glance shows. */
  uint32_t (*glance)(int at);
  const char *(*string)(uint64_t address, size_t *size);
  /* The chunk and the line where a closure or prototype is defined; whether there is one. */
  int (*definition)(uint64_t address, const char **source, size_t *size, uint32_t *line);
  /* The chunk and the line of the innermost Lua function that runs; whether there is one. */
  int (*location)(const char **source, size_t *size, uint32_t *line);
  const char *(*upvalue_name)(uint64_t closure, uint32_t index, size_t *size);
  const char *(*slot_name)(uint64_t thread, uint32_t slot);
  /* The key of a table's node as text; what it is: 0 nothing, 1 a number, 2 false, 3 true, 4 other that is no object. */
  int (*key)(uint64_t table, uint32_t node, char *text, size_t room);
  uint32_t (*depth)(void);
  /* Of the running thread, at a tick. */
  void (*deed)(mp_deed *deed);
  /* Damages the heap, for tests of checkers; whether there was something to damage. */
  int (*damage)(int what, uint64_t address, uint64_t with);
} mp_engine;

/* The one symbol that is exported. */
const mp_engine *moonphase_engine(void);

#endif
