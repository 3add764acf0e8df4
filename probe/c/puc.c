/*
** The probe of the family of PUC Lua: 5.1 and 5.4.
**
** It is compiled against the internal headers of the Lua that it looks into. Where a structure of a fork differs, it does not
** compile, and the error names the field.
*/

#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ltable_c
#define LUA_CORE

#include "lua.h"
#include "lauxlib.h"
#include "lualib.h"
#include "ldebug.h"
#include "ldo.h"
#include "lfunc.h"
#include "lgc.h"
#include "lobject.h"
#include "lopcodes.h"
#include "lstate.h"
#include "lstring.h"
#include "ltable.h"
#include "ltm.h"

#include "arena.h"
#include "moonphase_probe.h"

#if defined(__GNUC__)
#define EXPORTED __attribute__((visibility("default")))
#else
#define EXPORTED
#endif

/*
** {==================================================================
** What the versions call it
** ===================================================================
*/

#if LUA_VERSION_NUM == 501

#define OBJECT_SPACE LUAI_EXTRASPACE
#define tag(o) ((o)->gch.tt)
#define marks(o) ((o)->gch.marked)
#define TAG_TABLE LUA_TTABLE
#define TAG_THREAD LUA_TTHREAD
#define TAG_PROTOTYPE LUA_TPROTO
#define TAG_UPVALUE LUA_TUPVAL
#define TAG_USERDATA LUA_TUSERDATA
#define next_object(o) ((o)->gch.next)
#define is_fixed(o) (marks(o) & bitmask(FIXEDBIT))
#define value_of(v) ((v)->value)
#define stack_of(t) ((t)->stack)
#define top_of(t) ((t)->top)
#define stack_slots(t) ((uint32_t)(t)->stacksize)
#define slot_value(s) (s)
#define upvalue_value(uv) ((uv)->v)
#define is_open(uv) ((uv)->v != &(uv)->u.value)
#define first_open(t) ((t)->openupval ? gco2uv((t)->openupval) : NULL)
#define next_open(uv) ((uv)->next ? gco2uv((uv)->next) : NULL)
#define total_bytes(g) ((uint64_t)(g)->totalbytes)
#define array_size(t) ((uint32_t)(t)->sizearray)
#define entry_value(n) gval(n)
#define has_value(n) (!ttisnil(gval(n)))
#define key_object(n) \
  (!ttisnil(gkey(n)) && ttype(gkey(n)) != LUA_TDEADKEY && iscollectable(gkey(n)) ? gcvalue(gkey(n)) : NULL)
#define string_of(o) (&rawgco2ts(o)->tsv)
#define string_bytes(o) ((const char *)(rawgco2ts(o) + 1))
#define string_size(o) (string_of(o)->len)
#define next_string(o) ((o)->gch.next)
#define is_short(o) 1
#define string_field(t, name) luaH_getstr(t, name)
#define proto_upvalue_name(p, i) ((p)->upvalues[i])
#define is_generational(g) 0
#define all_objects(g) ((g)->rootgc)
#define age_is_touched2(o) 0
#define age_is_old1(o) 0

#elif LUA_VERSION_NUM == 504

#define OBJECT_SPACE LUA_EXTRASPACE
#define GCheader GCObject /* there is no more in it than the header */
#define tag(o) ((o)->tt)
#define marks(o) ((o)->marked)
#define TAG_TABLE LUA_VTABLE
#define TAG_THREAD LUA_VTHREAD
#define TAG_PROTOTYPE LUA_VPROTO
#define TAG_UPVALUE LUA_VUPVAL
#define TAG_USERDATA LUA_VUSERDATA
#define next_object(o) ((o)->next)
#define is_fixed(o) 0 /* those are gray */
#define value_of(v) ((v)->value_)
#if defined(LUA_VERSION_RELEASE_NUM) && LUA_VERSION_RELEASE_NUM >= 50406
#define stack_of(t) ((t)->stack.p)
#define top_of(t) ((t)->top.p)
#define stack_slots(t) ((uint32_t)((t)->stack_last.p - (t)->stack.p) + EXTRA_STACK)
#define frame_base(ci) ((ci)->func.p + 1)
#define upvalue_value(uv) ((uv)->v.p)
#else
#define stack_of(t) ((t)->stack)
#define top_of(t) ((t)->top)
#if LUA_VERSION_RELEASE_NUM >= 50403
#define stack_slots(t) ((uint32_t)((t)->stack_last - (t)->stack) + EXTRA_STACK)
#else
#define stack_slots(t) ((uint32_t)(t)->stacksize)
#endif
#define frame_base(ci) ((ci)->func + 1)
#define upvalue_value(uv) ((uv)->v)
#endif
#define slot_value(s) s2v(s)
#define is_open(uv) upisopen(uv)
#define first_open(t) ((t)->openupval)
#define next_open(uv) ((uv)->u.open.next)
#define total_bytes(g) ((uint64_t)gettotalbytes(g))
#define array_size(t) ((uint32_t)luaH_realasize(t))
#define entry_value(n) gval(n)
#define has_value(n) (!isempty(gval(n)))
#define key_object(n) (!keyisdead(n) && keyiscollectable(n) ? gckey(n) : NULL)
#define string_of(o) gco2ts(o)
#define string_bytes(o) getstr(gco2ts(o))
#define string_size(o) tsslen(gco2ts(o))
#define next_string(o) obj2gco(gco2ts(o)->u.hnext)
#define is_short(o) (tag(o) == LUA_VSHRSTR)
#define string_field(t, name) luaH_getshortstr(t, name)
#define proto_upvalue_name(p, i) ((p)->upvalues[i].name)
#define is_generational(g) ((g)->gckind == KGC_GEN)
#define all_objects(g) ((g)->allgc)
#define age_is_touched2(o) (getage(o) == G_TOUCHED2)
#define age_is_old1(o) (getage(o) == G_OLD1)

#else
#error "the probe knows Lua 5.1 and 5.4"
#endif

/* }================================================================== */

/*
** {==================================================================
** The run that is going on
** ===================================================================
*/

FILE *moonphase_streams[3];

static const mp_case *given;
static mp_result *result;
static lua_State *main_thread;
static lua_State *running;
static jmp_buf leave;
static int watching;           /* whether events are told */
static uint64_t ticks;

/* What was done since the last tick. */
static struct {
  const GCObject *holders[4];  /* what was written into, as far as that is known */
  int holder_count;
  int anywhere;                /* whether anything may have been written into besides */
  int told;                    /* whether the function of the API that is called next has told its holder */
  int worked;                  /* whether the collector has worked */
  int moved;                   /* whether an object has come into another list or age, a gray one into none, or a dead one was given out */
  uint64_t frees;              /* how many objects were freed until then */
  const char *function;        /* the API function that was called last of those that may write */
} since;

/* The frame on top of the stack at the last tick. */
static struct {
  const CallInfo *info;
  StkId top;
} frame;

static char *output;
static size_t output_size, output_room;
static char message[4096];

static uint8_t phase_of(const global_State *g);
static int is_marking(const global_State *g);

static global_State *global(void) { return G(main_thread); }

/* Tells an event. A wish to stop is obeyed at once: nothing of the Lua runs any more. */
static void tell(lua_State *L, uint32_t kind, uint32_t full, const void *parent, const void *child) {
  mp_event event;
  lua_State *before = running;
  if (!watching) return;
  event.kind = kind;
  event.full = full;
  event.number = ticks;
  event.frees = arena.frees;
  event.parent = (uint64_t)(uintptr_t)parent;
  event.child = (uint64_t)(uintptr_t)child;
  event.function = since.function;
  event.moved = (uint32_t)since.moved;
  event.phase = phase_of(global());
  event.generational = is_generational(global());
  running = L;
  if (given->event(given->context, &event) != 0) {
    result->end = MP_STOPPED;
    longjmp(leave, 1);
  }
  running = before;
}

/* }================================================================== */

/*
** {==================================================================
** Look
** ===================================================================
*/

static mp_look look;
static uint32_t look_number;

/* An array that grows. */
#define ARRAY(type, name) static type *name; static uint32_t name##_count, name##_room
ARRAY(mp_object, objects);
ARRAY(mp_edge, edges);
ARRAY(uint32_t, members);
ARRAY(mp_root, roots);
ARRAY(uint32_t, slots);

#define make_room(name) do { \
    if (name##_count == name##_room) { \
      name##_room = name##_room == 0 ? 1024 : name##_room * 2; \
      name = realloc(name, name##_room * sizeof *name); \
      if (name == NULL) abort(); \
    } \
  } while (0)

#define push(name, ...) do { \
    make_room(name); \
    name[name##_count++] = __VA_ARGS__; \
  } while (0)

static inline const mp_block *block_of_object(const GCObject *o) {
  const mp_block *block = arena_block(o);
  /* A thread has room for others before it. */
  return block != NULL || OBJECT_SPACE == 0 ? block : arena_block((const char *)o - OBJECT_SPACE);
}

static inline uint8_t kind_of(const GCObject *o) {
#if LUA_VERSION_NUM == 501
  switch (o->gch.tt) {
    case LUA_TSTRING: return MP_STRING;
    case LUA_TTABLE: return MP_TABLE;
    case LUA_TFUNCTION: return o->cl.c.isC ? MP_NATIVE_CLOSURE : MP_CLOSURE;
    case LUA_TUSERDATA: return MP_USERDATA;
    case LUA_TTHREAD: return MP_THREAD;
    case LUA_TPROTO: return MP_PROTOTYPE;
    case LUA_TUPVAL: return MP_UPVALUE;
    default: return UINT8_MAX;
  }
#else
  switch (o->tt) {
    case LUA_VSHRSTR: case LUA_VLNGSTR: return MP_STRING;
    case LUA_VTABLE: return MP_TABLE;
    case LUA_VLCL: return MP_CLOSURE;
    case LUA_VCCL: return MP_NATIVE_CLOSURE;
    case LUA_VUSERDATA: return MP_USERDATA;
    case LUA_VTHREAD: return MP_THREAD;
    case LUA_VPROTO: return MP_PROTOTYPE;
    case LUA_VUPVAL: return MP_UPVALUE;
    default: return UINT8_MAX;
  }
#endif
}

uint8_t moonphase_kind(const void *memory, uint64_t size) {
  if (size == sizeof(lua_State) + OBJECT_SPACE) return MP_THREAD;
  /* What is smaller is the shortest string, or no object. */
  return size >= sizeof(GCheader) ? kind_of((const GCObject *)memory) : UINT8_MAX;
}

static uint8_t colour_of(const GCObject *o) {
  uint8_t whites = marks(o) & WHITEBITS;
  if (whites != 0) return whites & luaC_white(global()) ? MP_WHITE : MP_OTHER_WHITE;
  return marks(o) & bitmask(BLACKBIT) ? MP_BLACK : MP_GRAY;
}

static inline int is_readable(const void *o) {
  const mp_block *block = o != NULL ? block_of_object(o) : NULL;
  return block != NULL && !block->freed;
}

static uint8_t weakness_of(const Table *t) {
  const TValue *mode;
  const Table *metatable = t->metatable;
  int keys = 0, values = 0;
  const char *text;
  if (metatable == NULL || !is_readable(metatable) || !is_readable(global()->tmname[TM_MODE])) return MP_NOT_WEAK;
  mode = string_field((Table *)metatable, global()->tmname[TM_MODE]);
  if (!ttisstring(mode) || !is_readable(gcvalue(mode))) return MP_NOT_WEAK;
  text = string_bytes(gcvalue(mode));
  keys = strchr(text, 'k') != NULL;
  values = strchr(text, 'v') != NULL;
  return keys ? (values ? MP_WEAK_BOTH : MP_WEAK_KEYS) : (values ? MP_WEAK_VALUES : MP_NOT_WEAK);
}

/* The index of an object of this look, which is met for the first time or again. */
static uint32_t meet(const GCObject *o) {
  mp_object *object;
  mp_block *block = (mp_block *)block_of_object(o);
  if (block != NULL && block->look == look_number) return block->index;
  /* Its fields are written in place: copying them all at once would wait for each. */
  make_room(objects);
  object = &objects[objects_count];
  object->address = (uint64_t)(uintptr_t)o;
  object->size = 0;
  object->first_edge = object->edges = object->slot = 0;
  object->slot_thread = MP_NONE;
  object->colour = object->age = object->flags = object->weakness = object->marks = 0;
  if (block == NULL) {
    object->number = 0;
    object->kind = MP_STRING;
    object->flags = MP_FREED | MP_WILD;
    return objects_count++;
  }
  block->look = look_number;
  block->index = objects_count;
  object->number = block->number;
  object->kind = block->freed ? block->kind : kind_of(o);
  if (block->freed || object->kind == UINT8_MAX) {
    object->flags = MP_FREED;
    object->kind = block->kind;
  } else {
    block->kind = object->kind;
    object->marks = marks(o);
    object->colour = colour_of(o);
    object->size = block->size;
#if LUA_VERSION_NUM >= 504
    object->age = getage(o);
    if (tofinalize(o)) object->flags |= MP_FINALIZER;
#endif
    if (object->kind == MP_STRING && is_short(o)) object->flags |= MP_SHORT;
    if (object->kind == MP_UPVALUE && is_open((UpVal *)o)) object->flags |= MP_OPEN;
    if (object->kind == MP_TABLE) object->weakness = weakness_of((const Table *)o);
  }
  return objects_count++;
}

static void begin_list(int list) { look.lists[list].first = members_count; }

static void end_list(int list) { look.lists[list].count = members_count - look.lists[list].first; }

/* No list is longer than there are blocks, unless it is a circle; then some of its members come twice. */
#define most_members (arena.allocations + 1)

static void fill_list(int list, const GCObject *first) {
  const GCObject *o;
  uint64_t left = most_members;
  begin_list(list);
  for (o = first; o != NULL && left-- > 0; o = next_object(o)) {
    push(members, meet(o));
    if (!is_readable(o)) break;
  }
  end_list(list);
}

static GCObject *next_gray(const GCObject *o) {
  switch (kind_of(o)) {
    case MP_TABLE: return ((const Table *)o)->gclist;
    case MP_CLOSURE: case MP_NATIVE_CLOSURE: return ((const Closure *)o)->c.gclist;
    case MP_THREAD: return ((const lua_State *)o)->gclist;
    case MP_PROTOTYPE: return ((const Proto *)o)->gclist;
#if LUA_VERSION_NUM >= 504
    case MP_USERDATA: return ((const Udata *)o)->gclist;
#endif
    default: return NULL;
  }
}

/* Gray objects are added at the beginning: the last member is the first to be traversed. */
static void fill_gray_list(int list, const GCObject *first) {
  const GCObject *o;
  uint64_t left = most_members;
  uint32_t low, high;
  begin_list(list);
  for (o = first; o != NULL && left-- > 0; o = next_gray(o)) {
    push(members, meet(o));
    if (!is_readable(o)) break;
  }
  end_list(list);
  low = look.lists[list].first;
  for (high = members_count; low + 1 < high; low++, high--) {
    uint32_t other = members[low];
    members[low] = members[high - 1];
    members[high - 1] = other;
  }
}

/* Whether a search in a bucket that has come to this string would have ended before it. */
static int is_hidden(const GCObject *bucket, const GCObject *string) {
  for (; bucket != string; bucket = next_string(bucket)) {
    if (string_size(bucket) == string_size(string) &&
        memcmp(string_bytes(bucket), string_bytes(string), string_size(string)) == 0)
      return 1;
  }
  return 0;
}

static void fill_strings(void) {
  global_State *g = global();
  int i;
  begin_list(MP_INTERNED_LIST);
  for (i = 0; i < g->strt.size; i++) {
    const GCObject *bucket = obj2gco(g->strt.hash[i]), *o;
    uint64_t left = most_members;
    for (o = bucket; o != NULL && left-- > 0; o = next_string(o)) {
      uint32_t index = meet(o);
      push(members, index);
      if (!is_readable(o)) break;
      if (lmod(string_of(o)->hash, g->strt.size) == i && !is_hidden(bucket, o)) objects[index].flags |= MP_INTERNED;
#if LUA_VERSION_NUM == 501
      if (is_fixed(o)) objects[index].flags |= MP_FIXED;
#endif
    }
  }
  end_list(MP_INTERNED_LIST);
}

#if LUA_VERSION_NUM == 501

static void copy_strings(int list, int fixed) {
  mp_range all = look.lists[MP_INTERNED_LIST];
  uint32_t i;
  begin_list(list);
  for (i = 0; i < all.count; i++) {
    uint32_t index = members[all.first + i];
    if (((objects[index].flags & MP_FIXED) != 0) == fixed) push(members, index);
  }
  end_list(list);
}

static void fill_lists(void) {
  global_State *g = global();
  UpVal *open;
  uint64_t left = most_members;
  fill_list(MP_ALL, g->rootgc);
  /* The userdata that wait are in a circle, of which the last one is known. */
  begin_list(MP_TO_BE_FINALIZED);
  if (g->tmudata != NULL) {
    GCObject *o = g->tmudata;
    do {
      uint32_t index;
      if (!is_readable(o)) break;
      o = next_object(o);
      index = meet(o);
      if (is_readable(o) && (marks(o) & bitmask(FINALIZEDBIT))) objects[index].flags |= MP_FINALIZER;
      push(members, index);
    } while (o != g->tmudata && left-- > 0);
  }
  end_list(MP_TO_BE_FINALIZED);
  begin_list(MP_OPEN_UPVALUES);
  left = most_members;
  for (open = g->uvhead.u.l.next; open != &g->uvhead && left-- > 0; open = open->u.l.next) {
    push(members, meet(obj2gco(open)));
    if (!is_readable(open)) break;
  }
  end_list(MP_OPEN_UPVALUES);
  fill_strings();
  copy_strings(MP_STRINGS, 0);
  copy_strings(MP_FIXED_LIST, 1);
  fill_gray_list(MP_GRAY_LIST, g->gray);
  fill_gray_list(MP_GRAY_AGAIN, g->grayagain);
  fill_gray_list(MP_WEAK_VALUES_LIST, g->weak);
}

static uint8_t phase_of(const global_State *g) {
  static const uint8_t phases[] = {MP_PAUSE, MP_PROPAGATE, MP_SWEEP_STRINGS, MP_SWEEP_ALL, MP_CALL_FINALIZERS};
  return phases[g->gcstate];
}

static int is_marking(const global_State *g) { return g->gcstate == GCSpropagate; }

#else

static uint32_t meet_start(const GCObject *o) { return o != NULL ? meet(o) : MP_NONE; }

static void fill_lists(void) {
  global_State *g = global();
  uint32_t i;
  mp_range fixed;
  fill_list(MP_ALL, g->allgc);
  fill_list(MP_FINALIZABLE, g->finobj);
  fill_list(MP_TO_BE_FINALIZED, g->tobefnz);
  fill_list(MP_FIXED_LIST, g->fixedgc);
  fixed = look.lists[MP_FIXED_LIST];
  for (i = 0; i < fixed.count; i++) objects[members[fixed.first + i]].flags |= MP_FIXED;
  fill_strings();
  fill_gray_list(MP_GRAY_LIST, g->gray);
  fill_gray_list(MP_GRAY_AGAIN, g->grayagain);
  fill_gray_list(MP_WEAK_VALUES_LIST, g->weak);
  fill_gray_list(MP_EPHEMERONS, g->ephemeron);
  fill_gray_list(MP_ALL_WEAK, g->allweak);
  look.generational = is_generational(g);
  look.generations[0][0] = meet_start(g->survival);
  look.generations[0][1] = meet_start(g->old1);
  look.generations[0][2] = meet_start(g->reallyold);
  look.generations[1][0] = meet_start(g->finobjsur);
  look.generations[1][1] = meet_start(g->finobjold1);
  look.generations[1][2] = meet_start(g->finobjrold);
  /* What it was when generational mode was left stays there. */
  if (look.generational) look.first_old1 = meet_start(g->firstold1);
}

static uint8_t phase_of(const global_State *g) {
  switch (g->gcstate) {
    case GCSpropagate: return MP_PROPAGATE;
    case GCSenteratomic: return MP_ENTER_ATOMIC;
    case GCSatomic: return MP_ATOMIC;
    case GCSswpallgc: return MP_SWEEP_ALL;
    case GCSswpfinobj: return MP_SWEEP_FINALIZABLE;
    case GCSswptobefnz: return MP_SWEEP_TO_BE_FINALIZED;
    case GCSswpend: return MP_SWEEP_END;
    case GCScallfin: return MP_CALL_FINALIZERS;
    default: return MP_PAUSE;
  }
}

static int is_marking(const global_State *g) { return g->gcstate <= GCSatomic; }

#endif

/* Whether references are only glanced at, from holders of which this one is black; and what that has shown. */
static int glancing, holder_is_black;
static uint32_t glimpsed;

static void glance_at(const GCObject *target, uint8_t label, uint8_t strength) {
  const mp_block *block = block_of_object(target);
  if (label == MP_EMPTY_KEY) return;
  if (block == NULL || block->freed)
    glimpsed |= MP_TO_FREED;
  else if (holder_is_black && strength == MP_STRONG && (marks(target) & WHITEBITS) && !is_fixed(target))
    glimpsed |= MP_BLACK_TO_WHITE;
}

static void edge_of(uint8_t label, uint32_t place, const GCObject *target, uint8_t strength, uint32_t key) {
  mp_edge *edge;
  if (target == NULL) return;
  if (glancing) {
    glance_at(target, label, strength);
    return;
  }
  make_room(edges);
  edge = &edges[edges_count++];
  edge->place = place;
  edge->key = key;
  edge->label = label;
  edge->strength = strength;
  edge->target = meet(target);
}

#define to_object(label, place, target) edge_of(label, place, obj2gco(target), MP_STRONG, MP_NONE)

static void to_value(uint8_t label, uint32_t place, const TValue *value, uint8_t strength) {
  if (iscollectable(value)) edge_of(label, place, gcvalue(value), strength, MP_NONE);
}

static void table_edges(const Table *t, uint8_t weakness) {
  int weak_keys = weakness == MP_WEAK_KEYS || weakness == MP_WEAK_BOTH;
  int weak_values = weakness == MP_WEAK_VALUES || weakness == MP_WEAK_BOTH;
  uint32_t i, size = array_size(t);
  to_object(MP_METATABLE, 0, t->metatable);
  for (i = 0; i < size; i++) to_value(MP_ITEM, i + 1, &t->array[i], weak_values ? MP_WEAK : MP_STRONG);
  for (i = 0; i < (uint32_t)sizenode(t); i++) {
    Node *n = gnode(t, i);
    GCObject *key = key_object(n);
    if (!has_value(n)) {
#if LUA_VERSION_NUM != 501
      /* 5.1 compares keys by address and looks into none. It does not mark those of a table dead that is weak in both ways
      ** (`traversetable` in lgc.c). */
      if (key != NULL) edge_of(MP_EMPTY_KEY, i, key, MP_WEAK, MP_NONE);
#endif
      continue;
    }
    if (key != NULL) edge_of(MP_KEY, i, key, weak_keys ? MP_WEAK : MP_STRONG, MP_NONE);
    if (iscollectable(entry_value(n))) {
      uint8_t strength = weak_values ? MP_WEAK : MP_STRONG;
      uint32_t key_index = MP_NONE;
#if LUA_VERSION_NUM >= 502
      if (strength == MP_STRONG && weak_keys && key != NULL && is_readable(key) && kind_of(key) != MP_STRING) {
        strength = MP_EPHEMERON;
        key_index = glancing ? MP_NONE : meet(key);
      }
#endif
      edge_of(MP_ENTRY, i, gcvalue(entry_value(n)), strength, key_index);
    }
  }
}

static void thread_edges(lua_State *t) {
  uint32_t i, live;
  UpVal *open;
  uint64_t left = most_members;
  if (stack_of(t) == NULL) return;
  live = (uint32_t)(top_of(t) - stack_of(t));
  for (i = 0; i < live; i++) to_value(MP_STACK_SLOT, i, slot_value(stack_of(t) + i), MP_STRONG);
  for (i = 0, open = first_open(t); open != NULL && left-- > 0; open = next_open(open), i++) {
    to_object(MP_OPEN_UPVALUE, i, open);
    if (!is_readable(open)) break;
  }
#if LUA_VERSION_NUM == 501
  to_value(MP_ENVIRONMENT, 0, gt(t), MP_STRONG);
#endif
}

static void prototype_edges(const Proto *p) {
  int i;
  to_object(MP_SOURCE, 0, p->source);
  for (i = 0; i < p->sizek; i++) to_value(MP_CONSTANT, (uint32_t)i, &p->k[i], MP_STRONG);
  for (i = 0; i < p->sizep; i++) to_object(MP_NESTED, (uint32_t)i, p->p[i]);
  for (i = 0; i < p->sizeupvalues; i++) to_object(MP_UPVALUE_NAME, (uint32_t)i, proto_upvalue_name(p, i));
  for (i = 0; i < p->sizelocvars; i++) to_object(MP_LOCAL_NAME, (uint32_t)i, p->locvars[i].varname);
}

static void closure_edges(const GCObject *o, uint8_t kind) {
  const Closure *closure = (const Closure *)o;
  int i;
  if (kind == MP_NATIVE_CLOSURE) {
    for (i = 0; i < closure->c.nupvalues; i++) to_value(MP_NATIVE_UPVALUE, (uint32_t)i, &closure->c.upvalue[i], MP_STRONG);
  } else {
    to_object(MP_PROTOTYPE_OF, 0, closure->l.p);
    for (i = 0; i < closure->l.nupvalues; i++) to_object(MP_UPVALUE_OF, (uint32_t)i, closure->l.upvals[i]);
  }
#if LUA_VERSION_NUM == 501
  to_object(MP_ENVIRONMENT, 0, closure->c.env);
#endif
}

static void userdata_edges(const Udata *u) {
#if LUA_VERSION_NUM == 501
  to_object(MP_METATABLE, 0, u->uv.metatable);
  to_object(MP_ENVIRONMENT, 0, u->uv.env);
#else
  int i;
  to_object(MP_METATABLE, 0, u->metatable);
  for (i = 0; i < u->nuvalue; i++) to_value(MP_USER_VALUE, (uint32_t)i, &u->uv[i].uv, MP_STRONG);
#endif
}

static void object_edges(GCObject *o, uint8_t kind, uint8_t weakness) {
  switch (kind) {
    case MP_TABLE: table_edges((const Table *)o, weakness); break;
    case MP_CLOSURE: case MP_NATIVE_CLOSURE: closure_edges(o, kind); break;
    case MP_USERDATA: userdata_edges((const Udata *)o); break;
    case MP_THREAD: thread_edges((lua_State *)o); break;
    case MP_PROTOTYPE: prototype_edges((const Proto *)o); break;
    case MP_UPVALUE: to_value(MP_VALUE, 0, upvalue_value((UpVal *)o), MP_STRONG); break;
    default: break;
  }
}

/* The bytes of the blocks that an object has besides its own. */
static uint64_t size_of_parts(const GCObject *o, uint8_t kind) {
  switch (kind) {
    case MP_TABLE: return arena_size(((const Table *)o)->array) + arena_size(((const Table *)o)->node);
    case MP_THREAD: {
      const lua_State *t = (const lua_State *)o;
      uint64_t size = arena_size(stack_of(t));
#if LUA_VERSION_NUM == 501
      size += arena_size(t->base_ci);
#else
      const CallInfo *ci;
      for (ci = t->base_ci.next; ci != NULL && arena_size(ci) > 0; ci = ci->next) size += arena_size(ci);
#endif
      return size;
    }
    case MP_PROTOTYPE: {
      const Proto *p = (const Proto *)o;
      uint64_t size = arena_size(p->k) + arena_size(p->code) + arena_size(p->p) + arena_size(p->lineinfo) +
                      arena_size(p->locvars) + arena_size(p->upvalues);
#if LUA_VERSION_NUM >= 504
      size += arena_size(p->abslineinfo);
#endif
      return size;
    }
    default: return 0;
  }
}

static void fill_edges(uint32_t index) {
  GCObject *o = (GCObject *)(uintptr_t)objects[index].address;
  uint8_t kind = objects[index].kind, flags = objects[index].flags;
  objects[index].first_edge = edges_count;
  if (!(flags & MP_FREED)) {
    /* Where an open upvalue points is known if a thread has it. */
    if (!(flags & MP_OPEN) || objects[index].slot_thread != MP_NONE) object_edges(o, kind, objects[index].weakness);
    objects[index].size += size_of_parts(o, kind);
  }
  objects[index].edges = edges_count - objects[index].first_edge;
}

/* How many objects were met that ought to be in gray lists. */
static int64_t met_gray;

/* Open upvalues are left out: what they refer to is in stacks. So are strings, which refer to nothing. */
static void glance_into(GCObject *o, uint8_t kind) {
  if (kind == MP_STRING || (kind == MP_UPVALUE && is_open((UpVal *)o))) return;
  object_edges(o, kind, kind == MP_TABLE ? weakness_of((const Table *)o) : MP_NOT_WEAK);
}

/* An object that is marked. */
static void glance_at_colour(const GCObject *o, uint8_t kind) {
  if (holder_is_black) {
    met_gray += age_is_touched2(o);
    if ((kind == MP_THREAD && !age_is_old1(o)) || (kind == MP_UPVALUE && is_open((const UpVal *)o))) glimpsed |= MP_ODD_GRAY;
  } else if (kind == MP_STRING) {
    if (LUA_VERSION_NUM > 501) glimpsed |= MP_ODD_GRAY;
  } else if (kind != MP_UPVALUE || !is_open((const UpVal *)o))
    met_gray++;
}

/* While the collector marks, what a black object refers to stays marked: its references are followed once in a cycle, and again
** when something was written. This is the number of the run of glances for which that is so. */
static uint32_t glances = 1;

static void glance_over(GCObject *o, int at) {
  uint64_t left = most_members;
  uint8_t other_white = luaC_white(global()) ^ WHITEBITS;
  for (; o != NULL && left-- > 0; o = next_object(o)) {
    uint8_t kind, whites;
    mp_block *block = (mp_block *)block_of_object(o);
    if (block == NULL || block->freed) {
      glimpsed |= MP_TO_FREED;
      return;
    }
    whites = marks(o) & WHITEBITS;
    if (whites != 0 && (at != MP_AT_ALL || whites == other_white)) continue;
    kind = kind_of(o);
    holder_is_black = (marks(o) & bitmask(BLACKBIT)) != 0;
    if (whites == 0) glance_at_colour(o, kind);
    if (at != MP_AT_ALL && (!holder_is_black || block->glanced == glances)) continue;
    if (holder_is_black) block->glanced = glances;
    glance_into(o, kind);
  }
}

static int64_t listed_gray(const GCObject *o) {
  int64_t count = 0;
  for (; o != NULL && count <= (int64_t)arena.allocations && is_readable(o); o = next_gray(o)) count++;
  return count;
}

static uint32_t glance(int at) {
  global_State *g = global();
  int i;
  glancing = 1;
  glimpsed = 0;
  met_gray = 0;
  for (i = 0; i < since.holder_count; i++) {
    GCObject *o = (GCObject *)since.holders[i];
    if (!is_readable(o) || !(marks(o) & bitmask(BLACKBIT))) continue;
    holder_is_black = 1;
    glance_into(o, kind_of(o));
  }
  if (at == MP_AT_WRITTEN && !since.anywhere) {
    glancing = 0;
    return glimpsed;
  }
  if (at == MP_AT_ALL || since.anywhere) glances++;
#if LUA_VERSION_NUM == 501
  glance_over(g->rootgc, at);
  if (at == MP_AT_ALL && g->tmudata != NULL) {
    GCObject *o = g->tmudata;
    uint64_t left = most_members;
    holder_is_black = 0;
    do {
      if (!is_readable(o)) {
        glimpsed |= MP_TO_FREED;
        break;
      }
      glance_into(o, MP_USERDATA);
      o = next_object(o);
    } while (o != g->tmudata && left-- > 0);
  }
  met_gray -= listed_gray(g->gray) + listed_gray(g->grayagain) + listed_gray(g->weak);
#else
  glance_over(g->allgc, at);
  glance_over(g->finobj, at);
  glance_over(g->tobefnz, at);
  met_gray -= listed_gray(g->gray) + listed_gray(g->grayagain) + listed_gray(g->weak) + listed_gray(g->ephemeron) +
              listed_gray(g->allweak);
#endif
  if (met_gray != 0) glimpsed |= MP_ODD_GRAY;
  glancing = 0;
  return glimpsed;
}

/* Finds the slots of open upvalues. */
static void place_upvalues(uint32_t thread) {
  lua_State *t = (lua_State *)(uintptr_t)objects[thread].address;
  uint64_t left = most_members;
  UpVal *open;
  if (stack_of(t) == NULL) return;
  for (open = first_open(t); open != NULL && left-- > 0; open = next_open(open)) {
    uint32_t index = meet(obj2gco(open));
    char *slot, *base = (char *)stack_of(t);
    if (objects[index].flags & MP_FREED) break;
    slot = (char *)upvalue_value(open);
    if (slot >= base && slot < base + stack_slots(t) * sizeof *stack_of(t)) {
      objects[index].slot_thread = thread;
      objects[index].slot = (uint32_t)((slot - base) / (ptrdiff_t)sizeof *stack_of(t));
    }
  }
}

static void root_at(uint32_t root, const GCObject *o) {
  mp_root found;
  if (o == NULL) return;
  found.root = root;
  found.object = meet(o);
  push(roots, found);
}

static void fill_roots(void) {
  global_State *g = global();
  int i, count = (int)(sizeof g->mt / sizeof *g->mt);
  root_at(MP_ROOT_MAIN_THREAD, obj2gco(g->mainthread));
  if (running != NULL) root_at(MP_ROOT_RUNNING_THREAD, obj2gco(running));
  if (iscollectable(&g->l_registry)) root_at(MP_ROOT_REGISTRY, gcvalue(&g->l_registry));
  for (i = 0; i < count; i++) root_at(MP_ROOT_METATABLE + (uint32_t)i, obj2gco(g->mt[i]));
}

static void fill_stack(void) {
  uint32_t i, size;
  look.stack_live = 0;
  if (running != NULL && stack_of(running) != NULL) {
    look.stack_live = (uint32_t)(top_of(running) - stack_of(running));
    size = stack_slots(running);
    for (i = 0; i < size; i++) {
      const TValue *value = slot_value(stack_of(running) + i);
      uint32_t index = iscollectable(value) ? meet(gcvalue(value)) : MP_NONE;
      push(slots, index);
    }
  }
}

static const mp_look *look_now(void) {
  uint32_t i, listed, main_index;
  uint64_t sizes = 0;
  look_number++;
  objects_count = edges_count = members_count = roots_count = slots_count = 0;
  memset(&look, 0, sizeof look);
  memset(look.generations, 0xff, sizeof look.generations);
  look.first_old1 = look.running = MP_NONE;
  main_index = meet(obj2gco(main_thread));
  fill_lists();
  fill_roots();
  listed = objects_count;
  for (i = 0; i < listed; i++) {
    if (objects[i].kind == MP_THREAD && !(objects[i].flags & MP_FREED)) place_upvalues(i);
  }
  fill_stack();
  for (i = 0; i < objects_count; i++) fill_edges(i);
  if (running != NULL) look.running = meet(obj2gco(running));
  /* What belongs to no other object, such as the string table, is taken for the main thread's. */
  for (i = 0; i < objects_count; i++) {
    if (i != main_index) sizes += objects[i].size;
  }
  objects[main_index].size = arena.alive - arena.apart - sizes;
  look.objects = objects;
  look.edges = edges;
  look.members = members;
  look.roots = roots;
  look.stack = slots;
  look.object_count = objects_count;
  look.edge_count = edges_count;
  look.root_count = roots_count;
  look.stack_size = slots_count;
  look.newest = (uint32_t)arena.allocations;
  look.bytes = total_bytes(global());
  look.phase = phase_of(global());
  return &look;
}

/* }================================================================== */

/*
** {==================================================================
** Names
** ===================================================================
*/

#define object_at(address) ((GCObject *)(uintptr_t)(address))

static const char *string_at(uint64_t address, size_t *size) {
  GCObject *o = object_at(address);
  *size = string_size(o);
  return string_bytes(o);
}

static const Proto *code_of(const GCObject *o) {
  switch (kind_of(o)) {
    case MP_PROTOTYPE: return (const Proto *)o;
    case MP_CLOSURE: return ((const Closure *)o)->l.p;
    default: return NULL;
  }
}

static int source_of(const Proto *p, const char **source, size_t *size) {
  if (p == NULL || !is_readable(p) || p->source == NULL || !is_readable(p->source)) return 0;
  *source = string_at((uint64_t)(uintptr_t)p->source, size);
  return 1;
}

static int definition(uint64_t address, const char **source, size_t *size, uint32_t *line) {
  const Proto *p = code_of(object_at(address));
  if (!source_of(p, source, size)) return 0;
  *line = (uint32_t)p->linedefined;
  return 1;
}

/* The frames of a thread, the innermost first. */
#if LUA_VERSION_NUM == 501
#define is_lua_frame(ci) isLua(ci)
#define frame_code(ci) (ci_func(ci)->l.p)
#define frame_pc(t, ci) pcRel((ci) == (t)->ci ? (t)->savedpc : (ci)->savedpc, frame_code(ci))
#define frame_line(t, ci) getline(frame_code(ci), frame_pc(t, ci))
#define outer_frame(t, ci) ((ci) > (t)->base_ci ? (ci) - 1 : NULL)
#define frame_first(ci) ((ci)->base)
#define frame_function(ci) ((ci)->func)
#else
#define is_lua_frame(ci) isLua(ci)
#define frame_code(ci) (ci_func(ci)->p)
#define frame_pc(t, ci) pcRel((ci)->u.l.savedpc, frame_code(ci))
#define frame_line(t, ci) luaG_getfuncline(frame_code(ci), frame_pc(t, ci))
#define outer_frame(t, ci) ((ci)->previous)
#define frame_first(ci) frame_base(ci)
#define frame_function(ci) s2v(frame_base(ci) - 1)
#endif

static int location(const char **source, size_t *size, uint32_t *line) {
  CallInfo *ci;
  if (running == NULL) return 0;
  for (ci = running->ci; ci != NULL; ci = outer_frame(running, ci)) {
#if LUA_VERSION_NUM == 501
    if (!ttisfunction(ci->func)) break;
#endif
    if (is_lua_frame(ci)) {
      if (!source_of(frame_code(ci), source, size)) return 0;
      *line = (uint32_t)(frame_line(running, ci) > 0 ? frame_line(running, ci) : 0);
      return 1;
    }
  }
  return 0;
}

static uint32_t depth(void) {
  uint32_t count = 0;
  CallInfo *ci;
  if (running == NULL) return 0;
  for (ci = running->ci; ci != NULL; ci = outer_frame(running, ci)) count++;
  return count;
}

static const char *upvalue_name(uint64_t closure, uint32_t index, size_t *size) {
  const Proto *p = code_of(object_at(closure));
  const TString *name;
  if (p == NULL || !is_readable(p) || index >= (uint32_t)p->sizeupvalues) return NULL;
  name = proto_upvalue_name(p, index);
  if (name == NULL || !is_readable(name)) return NULL;
  return string_at((uint64_t)(uintptr_t)name, size);
}

static const char *slot_name(uint64_t thread, uint32_t slot) {
  lua_State *t = (lua_State *)object_at(thread);
  StkId at = stack_of(t) + slot;
  CallInfo *ci;
  for (ci = t->ci; ci != NULL; ci = outer_frame(t, ci)) {
#if LUA_VERSION_NUM == 501
    if (!ttisfunction(ci->func)) break;
#endif
    if (at >= frame_first(ci)) {
      if (!is_lua_frame(ci)) return NULL;
      return luaF_getlocalname(frame_code(ci), (int)(at - frame_first(ci)) + 1, frame_pc(t, ci));
    }
  }
  return NULL;
}

static int key_text(uint64_t table, uint32_t node, char *text, size_t room) {
  const Table *t = (const Table *)object_at(table);
  Node *n;
  if (node >= (uint32_t)sizenode(t)) return 0;
  n = gnode(t, node);
#if LUA_VERSION_NUM == 501
  if (ttisnumber(gkey(n))) {
    snprintf(text, room, LUA_NUMBER_FMT, nvalue(gkey(n)));
    return 1;
  }
  if (ttisboolean(gkey(n))) return bvalue(gkey(n)) ? 3 : 2;
  return ttisnil(gkey(n)) || ttype(gkey(n)) == LUA_TDEADKEY ? 0 : 4;
#else
  if (keyisinteger(n)) {
    snprintf(text, room, "%lld", (long long)keyival(n));
    return 1;
  }
  switch (keytt(n)) {
    case LUA_VNUMFLT:
      snprintf(text, room, LUA_NUMBER_FMT, (LUAI_UACNUMBER)keyval(n).n);
      return 1;
    case LUA_VFALSE: return 2;
    case LUA_VTRUE: return 3;
    default: return keyisnil(n) || keyisdead(n) ? 0 : 4;
  }
#endif
}

/* Takes an object out of a list that begins at `link`. */
static int unlink_from(GCObject **link, const GCObject *o) {
  uint64_t left = most_members;
  for (; *link != NULL && left-- > 0; link = &next_object(*link)) {
    if (*link == o) {
      *link = next_object(o);
      return 1;
    }
  }
  return 0;
}

static int redirect(Table *t, GCObject *to) {
  int i;
  for (i = 0; i < (int)sizenode(t); i++) {
    TValue *v = entry_value(gnode(t, i));
    if (!iscollectable(v)) continue;
    if (to == NULL)
      setnilvalue(v);
    else
      value_of(v).gc = to;
    return 1;
  }
  return 0;
}

static int damage(int what, uint64_t address, uint64_t with) {
  GCObject *o = object_at(address);
  switch (what) {
    case MP_SET_MARKS: marks(o) = (uint8_t)with; return 1;
    case MP_FREE_BLOCK: return unlink_from(&all_objects(global()), o) && arena_free(block_of_object(o));
    case MP_UNLINK: return unlink_from(&all_objects(global()), o);
    case MP_COUNT_BYTES: global()->totalbytes += with; return 1;
    case MP_REHASH: return kind_of(o) == MP_STRING && (string_of(o)->hash ^= 1, 1);
    case MP_REDIRECT: return kind_of(o) == MP_TABLE && redirect((Table *)o, object_at(with));
    default: return 0;
  }
}

/* }================================================================== */

/*
** {==================================================================
** What the linker puts before the functions of the Lua
** ===================================================================
*/

/* The count hook of a script, which has its own pace. */
typedef struct count_hook { lua_State *thread; int left; } count_hook;
ARRAY(count_hook, count_hooks);

static int *left_of(lua_State *L) {
  count_hook fresh;
  uint32_t i;
  for (i = 0; i < count_hooks_count; i++) {
    if (count_hooks[i].thread == L) return &count_hooks[i].left;
  }
  fresh.thread = L;
  fresh.left = L->basehookcount;
  push(count_hooks, fresh);
  return &count_hooks[count_hooks_count - 1].left;
}

/* Sets what makes the VM come to the hook before every instruction. A count of the script's own is in `basehookcount`. */
static void arm(lua_State *L) {
  L->hookmask |= LUA_MASKCOUNT;
  L->hookcount = 1;
}

#if LUA_VERSION_NUM == 501
#define next_instruction(L) ((L)->savedpc[-1])
#define register_at(L, n) ((L)->base + (n))
#define running_closure(L) lua_closure((L)->ci->func)
#define is_lua_function(v) (ttisfunction(v) && !clvalue(v)->c.isC)
#define lua_closure(v) (&clvalue(v)->l)
#else
#define next_instruction(L) ((L)->ci->u.l.savedpc[-1])
#define register_at(L, n) s2v(frame_base((L)->ci) + (n))
#define running_closure(L) lua_closure(s2v(frame_base((L)->ci) - 1))
#define is_lua_function(v) ttisLclosure(v)
#define lua_closure(v) clLvalue(v)
#endif

static void writes_into(const GCObject *o) {
  int i;
  for (i = 0; i < since.holder_count; i++) {
    if (since.holders[i] == o) return;
  }
  if (since.holder_count == (int)(sizeof since.holders / sizeof since.holders[0]))
    since.anywhere = 1;
  else
    since.holders[since.holder_count++] = o;
}

/* A table that is written into, unless its metatable says otherwise. */
static void writes_into_table(const TValue *v) {
  if (v != NULL && ttistable(v) && hvalue(v)->metatable == NULL)
    writes_into(obj2gco(hvalue(v)));
  else
    since.anywhere = 1;
}

/* Notes what an instruction may write into, besides new objects and the stack. A Lua function that it calls has instructions of
** its own; a native one calls the API. */
static void note_writes(lua_State *L, Instruction i) {
  switch (GET_OPCODE(i)) {
    case OP_MOVE: case OP_LOADK: case OP_LOADNIL: case OP_GETUPVAL: case OP_GETTABLE: case OP_NEWTABLE: case OP_SELF:
    case OP_ADD: case OP_SUB: case OP_MUL: case OP_DIV: case OP_MOD: case OP_POW: case OP_UNM: case OP_NOT: case OP_LEN:
    case OP_CONCAT: case OP_JMP: case OP_EQ: case OP_LT: case OP_LE: case OP_TEST: case OP_TESTSET: case OP_FORLOOP:
    case OP_FORPREP: case OP_VARARG: case OP_CLOSURE: case OP_CALL: case OP_TAILCALL:
#if LUA_VERSION_NUM == 501
    case OP_LOADBOOL: case OP_GETGLOBAL: case OP_CLOSE: case OP_TFORLOOP:
#else
    case OP_LOADI: case OP_LOADF: case OP_LOADKX: case OP_LOADFALSE: case OP_LFALSESKIP: case OP_LOADTRUE: case OP_GETTABUP:
    case OP_GETI: case OP_GETFIELD: case OP_ADDI: case OP_ADDK: case OP_SUBK: case OP_MULK: case OP_EQK: case OP_EQI:
    case OP_LTI: case OP_LEI: case OP_GTI: case OP_GEI: case OP_EXTRAARG: case OP_VARARGPREP: case OP_IDIV: case OP_MODK:
    case OP_POWK: case OP_DIVK: case OP_IDIVK: case OP_MMBIN: case OP_MMBINI: case OP_MMBINK: case OP_BNOT: case OP_BAND:
    case OP_BOR: case OP_BXOR: case OP_SHL: case OP_SHR: case OP_SHRI: case OP_SHLI: case OP_BANDK: case OP_BORK: case OP_BXORK:
    case OP_CLOSE: case OP_TFORPREP: case OP_TFORLOOP: case OP_TFORCALL:
#endif
      break;
    case OP_RETURN:
#if LUA_VERSION_NUM == 504
    case OP_RETURN0: case OP_RETURN1:
#endif
      /* The native function that goes on then may write where it likes. */
      if (outer_frame(L, L->ci) != NULL && !isLua(outer_frame(L, L->ci))) since.anywhere = 1;
      break;
    case OP_SETUPVAL:
      writes_into(obj2gco(running_closure(L)->upvals[GETARG_B(i)]));
      break;
    case OP_SETTABLE: case OP_SETLIST:
#if LUA_VERSION_NUM == 504
    case OP_SETI: case OP_SETFIELD:
#endif
      writes_into_table(register_at(L, GETARG_A(i)));
      break;
#if LUA_VERSION_NUM == 501
    case OP_SETGLOBAL:
      if (running_closure(L)->env->metatable == NULL)
        writes_into(obj2gco(running_closure(L)->env));
      else
        since.anywhere = 1;
      break;
#else
    case OP_SETTABUP:
      writes_into_table(upvalue_value(running_closure(L)->upvals[GETARG_A(i)]));
      break;
#endif
    default:
      since.anywhere = 1;
  }
}

/* The functions of the API that write into no objects but new ones and the stack, and other functions that say their names. */
static int only_reads(const char *function) {
  static const char *const names[] = {
    "checkstack", "atpanic", "newthread", "settop", "remove", "insert", "rotate", "pushvalue", "equal", "lessthan", "compare",
    "arith", "tolstring", "objlen", "len", "pushnil", "pushnumber", "pushinteger", "pushlstring", "pushstring", "pushvfstring",
    "pushfstring", "pushcclosure", "pushboolean", "pushlightuserdata", "pushthread", "getglobal", "gettable", "getfield", "geti",
    "rawget", "rawgeti", "rawgetp", "createtable", "getmetatable", "getfenv", "getiuservalue", "call", "callk", "pcall", "pcallk",
    "cpcall", "gc", "error", "next", "concat", "getallocf", "newuserdata", "newuserdatauv", "getupvalue", "yield", "yieldk",
    "getstack", "getlocal", "setlocal", "getinfo", "dump", "warning", NULL
  };
  const char *const *name;
  if (strncmp(function, "luaD_", 5) == 0 || strcmp(function, "precallC") == 0 || strcmp(function, "luaZ_fill") == 0) return 1;
  if (strncmp(function, "lua_", 4) != 0) return 0;
  for (name = names; *name != NULL; name++) {
    if (strcmp(*name, function + 4) == 0) return 1;
  }
  return 0;
}

void moonphase_called(const char *function, signed char *site) {
  if (*site == 0) *site = only_reads(function) ? 1 : -1;
  if (*site < 0) {
    if (!since.told) {
      since.anywhere = 1;
      since.function = function;
    }
  }
  since.told = 0;
}

/* A value that a function of the API is given by its index; NULL where that is no place in the stack. */
static TValue *argument(lua_State *L, int index) {
#if LUA_VERSION_NUM == 501
  StkId at = index > 0 ? L->base + (index - 1) : L->top + index;
  return index <= LUA_REGISTRYINDEX || at >= L->top ? NULL : at;
#else
  StkId at = index > 0 ? frame_base(L->ci) + (index - 1) : top_of(L) + index;
  return index <= LUA_REGISTRYINDEX || at >= top_of(L) ? NULL : s2v(at);
#endif
}

static void tells_table(lua_State *L, int index, int raw, const char *function) {
  const TValue *v = argument(L, index);
  if (raw && v != NULL && ttistable(v))
    writes_into(obj2gco(hvalue(v)));
  else
    writes_into_table(v);
  since.told = 1;
  since.function = function;
}

static void tells_object(lua_State *L, int index, const char *function) {
  const TValue *v = argument(L, index);
  if (v == NULL)
    since.anywhere = 1;
  else if (iscollectable(v))
    writes_into(gcvalue(v));
  since.told = 1;
  since.function = function;
}

/* Whether something has happened since the last tick for which one looks at the heap. */
static int is_eventful(const lua_State *L) {
  if (given->ticks == MP_ALL_TICKS || since.worked || since.moved || since.frees != arena.frees) return 1;
  if (!is_marking(G(L))) return 0;
  return since.anywhere || since.holder_count > 0;
}

static uint64_t drawn; /* the state of the numbers that say at which ticks, or requests, the collector is driven */

/* A number that looks random (xorshift64*). */
static uint32_t draw(void) {
  drawn ^= drawn >> 12;
  drawn ^= drawn << 25;
  drawn ^= drawn >> 27;
  return (uint32_t)(drawn * 2685821657736338717u >> 32);
}

#if LUA_VERSION_NUM == 501
#define is_collecting(g) ((g)->GCthreshold != MAX_LUMEM)
#define make_due(g) ((g)->GCthreshold = 0)
#else
#define is_collecting(g) ((g)->gcstp == 0)
#define make_due(g) luaE_setdebt(g, 1)
#endif

static void drive(lua_State *L) {
  if (given->driven == MP_DRIVEN_BY_REQUESTS) return;
  if (!L->allowhook || !is_collecting(G(L)) || draw() % given->drive_rate != 0) return;
  if (given->driven == MP_DRIVEN_BY_DEBT)
    make_due(G(L));
  else
    lua_gc(L, LUA_GCSTEP, 0);
}

static int has_failed; /* whether the last request that could fail did */

/* The allocator of the Lua. A request that grows may fail once: the Lua then collects everything, wherever it is, and asks again
** (`luaM_realloc_` and `tryagain` in its lmem.c). Where it would not, no request fails. */
static void *allocate(void *context, void *pointer, size_t old_size, size_t new_size) {
#if LUA_VERSION_NUM == 504
  if (watching && given->driven == MP_DRIVEN_BY_REQUESTS && !global()->gcstopem && new_size > (pointer != NULL ? old_size : 0)) {
    has_failed = !has_failed && draw() % given->drive_rate == 0;
    if (has_failed) return NULL;
  }
#endif
  return arena_alloc(context, pointer, old_size, new_size);
}

/* Looks at the stack of a frame that was entered or has grown: what stands there may be left from a time when it was no part of the
** stack. */
static void note_frame(lua_State *L) {
  StkId slot;
  if (L->ci == frame.info && top_of(L) == frame.top) return;
  frame.info = L->ci;
  frame.top = top_of(L);
  for (slot = frame_first(L->ci); slot < frame.top; slot++) {
    const TValue *v = slot_value(slot);
    if (iscollectable(v) && !is_readable(gcvalue(v))) since.moved = 1;
  }
}

static void tick(lua_State *L) {
  ticks++;
  if (ticks > given->tick_limit) {
    result->end = MP_TICKS_OUT;
    longjmp(leave, 1);
  }
  note_frame(L);
  if (watching && is_eventful(L)) tell(L, MP_TICK, 0, NULL, NULL);
  since.holder_count = since.anywhere = since.worked = since.moved = 0;
  since.frees = arena.frees;
  since.function = NULL;
  if (given->driven != MP_NOT_DRIVEN && watching) drive(L);
  note_writes(L, next_instruction(L));
}

static const char *instruction_name(Instruction i) {
#define NAMED(name) case OP_##name: return #name
  switch (GET_OPCODE(i)) {
    NAMED(SETTABLE); NAMED(SETUPVAL); NAMED(SETLIST); NAMED(CALL); NAMED(TAILCALL); NAMED(CLOSURE); NAMED(CLOSE); NAMED(RETURN);
    NAMED(CONCAT); NAMED(NEWTABLE); NAMED(VARARG); NAMED(MOVE); NAMED(LOADK); NAMED(GETTABLE); NAMED(GETUPVAL); NAMED(SELF);
    NAMED(LOADNIL); NAMED(JMP); NAMED(FORLOOP); NAMED(FORPREP); NAMED(TFORLOOP); NAMED(EQ); NAMED(LT); NAMED(LE); NAMED(TEST);
    NAMED(TESTSET); NAMED(LEN); NAMED(NOT);
#if LUA_VERSION_NUM == 501
    NAMED(SETGLOBAL); NAMED(GETGLOBAL); NAMED(LOADBOOL);
#else
    NAMED(SETTABUP); NAMED(SETI); NAMED(SETFIELD); NAMED(GETTABUP); NAMED(GETI); NAMED(GETFIELD); NAMED(RETURN0);
    NAMED(RETURN1); NAMED(TFORCALL); NAMED(TFORPREP); NAMED(TBC);
#endif
    default: return "";
  }
}

/* The native function in a value; NULL if there is none. */
static lua_CFunction native_in(const TValue *v) {
#if LUA_VERSION_NUM == 501
  return ttisfunction(v) && clvalue(v)->c.isC ? clvalue(v)->c.f : NULL;
#else
  return ttislcf(v) ? fvalue(v) : ttisCclosure(v) ? clCvalue(v)->f : NULL;
#endif
}

/* The text of a key that is a string. */
static const char *key_string(Node *n) {
  GCObject *key = key_object(n);
  return key != NULL && is_readable(key) && kind_of(key) == MP_STRING ? string_bytes(key) : NULL;
}

/* Finds a native function in a table, or in the tables in it, and writes down how one gets there. */
static int find_native(const Table *t, lua_CFunction wanted, const char *way, char *name, size_t room) {
  int i;
  for (i = 0; i < (int)sizenode(t); i++) {
    Node *n = gnode(t, i);
    const char *key = key_string(n);
    if (key != NULL && native_in(entry_value(n)) == wanted) {
      snprintf(name, room, "%s%s%s", way, *way ? "." : "", key);
      return 1;
    }
  }
  if (*way != '\0') return 0;
  for (i = 0; i < (int)sizenode(t); i++) {
    Node *n = gnode(t, i);
    const char *key = key_string(n);
    if (key != NULL && ttistable(entry_value(n)) && is_readable(gcvalue(entry_value(n))) && hvalue(entry_value(n)) != t &&
        find_native(hvalue(entry_value(n)), wanted, key, name, room))
      return 1;
  }
  return 0;
}

static void name_native(lua_CFunction f, char *name, size_t room) {
#if LUA_VERSION_NUM == 501
  const TValue *globals = gt(main_thread);
#else
  const TValue *globals = luaH_getint(hvalue(&global()->l_registry), LUA_RIDX_GLOBALS);
#endif
  if (ttistable(globals)) find_native(hvalue(globals), f, "", name, room);
}

static void deed(mp_deed *told) {
  lua_State *L = running;
  Instruction i;
  CallInfo *outer;
  const TValue *called = NULL, *v;
  memset(told, 0, sizeof *told);
  if (L == NULL || !isLua(L->ci)) return;
  i = next_instruction(L);
  outer = outer_frame(L, L->ci);
  switch (GET_OPCODE(i)) {
    case OP_CALL: case OP_TAILCALL: called = register_at(L, GETARG_A(i)); break;
    case OP_RETURN:
#if LUA_VERSION_NUM == 504
    case OP_RETURN0: case OP_RETURN1:
#endif
      /* A native function goes on. */
      if (outer != NULL && !isLua(outer)) called = frame_function(outer);
      break;
    default: break;
  }
  if (called != NULL && native_in(called) != NULL) {
    told->kind = MP_NATIVE_CALL;
    name_native(native_in(called), told->name, sizeof told->name);
    for (v = called + 1; v < (const TValue *)slot_value(top_of(L)) && v <= called + 3 && told->closure == 0; v++) {
      if (is_lua_function(v)) told->closure = (uint64_t)(uintptr_t)gcvalue(v);
    }
    return;
  }
  told->kind = MP_INSTRUCTION;
  snprintf(told->name, sizeof told->name, "%s", instruction_name(i));
  told->closure = (uint64_t)(uintptr_t)running_closure(L);
}

/* Whether a hook that the VM has come to is the script's. */
static int is_due(lua_State *L, int event) {
  int *left;
  if (event != LUA_HOOKCOUNT || !given->ticks) return 1;
  arm(L);
  tick(L);
  if (L->basehookcount == 0) return 0;
  left = left_of(L);
  if (--*left > 0) return 0;
  *left = L->basehookcount;
  return 1;
}

#if LUA_VERSION_NUM == 501
void __real_luaD_callhook(lua_State *L, int event, int line);
void __wrap_luaD_callhook(lua_State *L, int event, int line) {
  if (is_due(L, event)) __real_luaD_callhook(L, event, line);
}
#else
void __real_luaD_hook(lua_State *L, int event, int line, int first, int count);
void __wrap_luaD_hook(lua_State *L, int event, int line, int first, int count) {
  if (is_due(L, event)) __real_luaD_hook(L, event, line, first, count);
}
#endif

#if LUA_VERSION_NUM == 501
#define SETHOOK_RESULT int
#else
#define SETHOOK_RESULT void
#endif

SETHOOK_RESULT __real_lua_sethook(lua_State *L, lua_Hook hook, int mask, int count);
SETHOOK_RESULT __wrap_lua_sethook(lua_State *L, lua_Hook hook, int mask, int count) {
  if (given != NULL && given->ticks) {
    if (hook == NULL || mask == 0) mask = 0;
    __real_lua_sethook(L, hook, mask, mask & LUA_MASKCOUNT ? count : 0);
    arm(L);
    if (mask & LUA_MASKCOUNT) *left_of(L) = count;
  } else
    __real_lua_sethook(L, hook, mask, count);
#if LUA_VERSION_NUM == 501
  return 1;
#endif
}

int __real_lua_gethookmask(lua_State *L);
int __wrap_lua_gethookmask(lua_State *L) {
  int mask = __real_lua_gethookmask(L);
  return given != NULL && given->ticks && L->basehookcount == 0 ? mask & ~LUA_MASKCOUNT : mask;
}

/* Functions of the API that write into an object, which is known before they begin. */
#if LUA_VERSION_NUM == 501
#define FIELD_INDEX int
#else
#define FIELD_INDEX lua_Integer
#endif

void __real_lua_rawset(lua_State *L, int index);
void __wrap_lua_rawset(lua_State *L, int index) {
  tells_table(L, index, 1, "lua_rawset");
  __real_lua_rawset(L, index);
}

void __real_lua_rawseti(lua_State *L, int index, FIELD_INDEX n);
void __wrap_lua_rawseti(lua_State *L, int index, FIELD_INDEX n) {
  tells_table(L, index, 1, "lua_rawseti");
  __real_lua_rawseti(L, index, n);
}

void __real_lua_settable(lua_State *L, int index);
void __wrap_lua_settable(lua_State *L, int index) {
  tells_table(L, index, 0, "lua_settable");
  __real_lua_settable(L, index);
}

void __real_lua_setfield(lua_State *L, int index, const char *name);
void __wrap_lua_setfield(lua_State *L, int index, const char *name) {
  tells_table(L, index, 0, "lua_setfield");
  __real_lua_setfield(L, index, name);
}

int __real_lua_setmetatable(lua_State *L, int index);
int __wrap_lua_setmetatable(lua_State *L, int index) {
  tells_object(L, index, "lua_setmetatable");
  return __real_lua_setmetatable(L, index);
}

const char *__real_lua_setupvalue(lua_State *L, int index, int n);
const char *__wrap_lua_setupvalue(lua_State *L, int index, int n) {
  const TValue *v = argument(L, index);
  if (v != NULL && is_lua_function(v) && n >= 1 && n <= lua_closure(v)->nupvalues)
    writes_into(obj2gco(lua_closure(v)->upvals[n - 1]));
  else if (v != NULL && iscollectable(v))
    writes_into(gcvalue(v));
  since.told = 1;
  since.function = "lua_setupvalue";
  return __real_lua_setupvalue(L, index, n);
}

/* Its lock is taken by no version. Not every Lua has it. */
extern void __real_lua_upvaluejoin(lua_State *L, int index, int n, int other, int m) __attribute__((weak));
void __wrap_lua_upvaluejoin(lua_State *L, int index, int n, int other, int m) {
  tells_object(L, index, "lua_upvaluejoin");
  since.told = 0;
  __real_lua_upvaluejoin(L, index, n, other, m);
}

/* An upvalue that is closed gets its value. */
static void note_closing(lua_State *L, StkId level) {
  UpVal *open;
  uint64_t left = most_members;
  if (given == NULL) return;
  for (open = first_open(L); open != NULL && left-- > 0 && (char *)upvalue_value(open) >= (char *)level; open = next_open(open))
    writes_into(obj2gco(open));
}

#if LUA_VERSION_NUM == 501
void __real_luaF_close(lua_State *L, StkId level);
void __wrap_luaF_close(lua_State *L, StkId level) {
  note_closing(L, level);
  __real_luaF_close(L, level);
}
#else
void __real_luaF_closeupval(lua_State *L, StkId level);
void __wrap_luaF_closeupval(lua_State *L, StkId level) {
  note_closing(L, level);
  __real_luaF_closeupval(L, level);
}
StkId __real_luaF_close(lua_State *L, StkId level, int status, int yields);
StkId __wrap_luaF_close(lua_State *L, StkId level, int status, int yields) {
  note_closing(L, level);
  return __real_luaF_close(L, level, status, yields);
}
#endif

/* A dead string or upvalue that is found again lives on; one that was freed must not be found. */
static void *given_out(lua_State *L, void *found) {
  const GCObject *o = found;
  if (given != NULL && (!is_readable(o) || (marks(o) & WHITEBITS) == (luaC_white(G(L)) ^ WHITEBITS))) since.moved = 1;
  return found;
}

TString *__real_luaS_newlstr(lua_State *L, const char *text, size_t size);
TString *__wrap_luaS_newlstr(lua_State *L, const char *text, size_t size) {
  return given_out(L, __real_luaS_newlstr(L, text, size));
}

UpVal *__real_luaF_findupval(lua_State *L, StkId level);
UpVal *__wrap_luaF_findupval(lua_State *L, StkId level) { return given_out(L, __real_luaF_findupval(L, level)); }

#if LUA_VERSION_NUM == 504
TString *__real_luaS_new(lua_State *L, const char *text);
TString *__wrap_luaS_new(lua_State *L, const char *text) { return given_out(L, __real_luaS_new(L, text)); }

void __real_luaC_checkfinalizer(lua_State *L, GCObject *o, Table *metatable);
void __wrap_luaC_checkfinalizer(lua_State *L, GCObject *o, Table *metatable) {
  int before = tofinalize(o);
  __real_luaC_checkfinalizer(L, o, metatable);
  /* Where lists have parts, or a sweep stands in one, there are pointers into them. */
  if (tofinalize(o) != before && (is_generational(G(L)) || issweepphase(G(L)))) since.moved = 1;
}
#endif

/* A finalizer is called when its object has come back to the others, within the work of the collector and without hooks. */
static void finalizes(lua_State *L, StkId function) {
#if LUA_VERSION_NUM == 501
  const TValue *v = function + 1;
  if (v < L->top && ttisuserdata(v) && (marks(gcvalue(v)) & WHITEBITS) != luaC_white(G(L))) since.moved = 1;
#else
  const TValue *v = s2v(function + 1);
  if (function + 1 < top_of(L) && iscollectable(v) && (is_generational(G(L)) || tofinalize(gcvalue(v)))) since.moved = 1;
#endif
}

void __real_luaD_call(lua_State *L, StkId function, int results);
void __wrap_luaD_call(lua_State *L, StkId function, int results) {
  if (!L->allowhook) finalizes(L, function);
  __real_luaD_call(L, function, results);
}

#if LUA_VERSION_NUM == 504
void __real_luaD_callnoyield(lua_State *L, StkId function, int results);
void __wrap_luaD_callnoyield(lua_State *L, StkId function, int results) {
  if (!L->allowhook) finalizes(L, function);
  __real_luaD_callnoyield(L, function, results);
}
#endif

lua_State *__real_lua_newthread(lua_State *L);
lua_State *__wrap_lua_newthread(lua_State *L) {
  lua_State *made = __real_lua_newthread(L);
  if (given != NULL && given->ticks) arm(made);
  return made;
}

/* Buffers of the auxiliary library ask the allocator itself (`resizebox` in lauxlib.c), so that nobody counts their bytes. */
lua_Alloc __real_lua_getallocf(lua_State *L, void **context);
lua_Alloc __wrap_lua_getallocf(lua_State *L, void **context) {
  lua_Alloc used = __real_lua_getallocf(L, context);
  return used == allocate ? arena_alloc_apart : used;
}

/* Looks at an object that a barrier has made gray, if it has: whoever does that puts the object at the head of a list. */
static void note_gray(const GCObject *o, const GCObject *head) {
  uint8_t kind = kind_of(o);
  if (!is_marking(global()) || o == head || (marks(o) & (WHITEBITS | bitmask(BLACKBIT)))) return;
  if (kind == MP_STRING || (kind == MP_UPVALUE && is_open((const UpVal *)o))) return;
  since.moved = 1;
}

static void work_begins(lua_State *L, uint32_t full) {
  if (full) glances++;
  tell(L, MP_STEP_BEGIN, full, NULL, NULL);
}

static void work_ends(lua_State *L, uint32_t full) {
  since.worked = 1;
  if (!is_marking(G(L))) glances++;
  tell(L, MP_STEP_END, full, NULL, NULL);
}

void __real_luaC_step(lua_State *L);
void __wrap_luaC_step(lua_State *L) {
  work_begins(L, 0);
  __real_luaC_step(L);
  work_ends(L, 0);
}

#if LUA_VERSION_NUM == 501
void __real_luaC_fullgc(lua_State *L);
void __wrap_luaC_fullgc(lua_State *L) {
  work_begins(L, 1);
  __real_luaC_fullgc(L);
  work_ends(L, 1);
}
void __real_luaC_barrierf(lua_State *L, GCObject *o, GCObject *v);
void __wrap_luaC_barrierf(lua_State *L, GCObject *o, GCObject *v) {
  __real_luaC_barrierf(L, o, v);
  note_gray(v, G(L)->gray);
  tell(L, MP_BARRIER, 0, o, v);
}
void __real_luaC_barrierback(lua_State *L, Table *t);
void __wrap_luaC_barrierback(lua_State *L, Table *t) {
  __real_luaC_barrierback(L, t);
  note_gray(obj2gco(t), G(L)->grayagain);
  tell(L, MP_BARRIER, 0, t, NULL);
}
#else
void __real_luaC_fullgc(lua_State *L, int emergency);
void __wrap_luaC_fullgc(lua_State *L, int emergency) {
  work_begins(L, 1);
  __real_luaC_fullgc(L, emergency);
  work_ends(L, 1);
}

/* From one mode to the other all is collected. */
void __real_luaC_changemode(lua_State *L, int mode);
void __wrap_luaC_changemode(lua_State *L, int mode) {
  work_begins(L, 1);
  __real_luaC_changemode(L, mode);
  work_ends(L, 1);
}

/* In generational mode a barrier changes ages, too. */
static void has_aged(lua_State *L) {
  if (is_generational(G(L))) since.moved = 1;
}

void __real_luaC_barrier_(lua_State *L, GCObject *o, GCObject *v);
void __wrap_luaC_barrier_(lua_State *L, GCObject *o, GCObject *v) {
  __real_luaC_barrier_(L, o, v);
  note_gray(v, G(L)->gray);
  has_aged(L);
  tell(L, MP_BARRIER, 0, o, v);
}
void __real_luaC_barrierback_(lua_State *L, GCObject *o);
void __wrap_luaC_barrierback_(lua_State *L, GCObject *o) {
  __real_luaC_barrierback_(L, o);
  note_gray(o, G(L)->grayagain);
  has_aged(L);
  tell(L, MP_BARRIER, 0, o, NULL);
}
#endif

/* A script that ends itself ends here. */
void __wrap_exit(int status) {
  if (given == NULL) _Exit(status);
  result->end = MP_EXITED;
  result->status = status;
  longjmp(leave, 1);
}

/* Clocks stand still. */
time_t __wrap_time(time_t *at) {
  time_t now = (time_t)(given != NULL ? given->now : 0);
  if (at != NULL) *at = now;
  return now;
}

clock_t __wrap_clock(void) { return 0; }

/* }================================================================== */

/*
** {==================================================================
** Running a script
** ===================================================================
*/

static ssize_t write_output(void *cookie, const char *text, size_t size) {
  size_t room = given->output_limit - output_size, taken = size < room ? size : room;
  (void)cookie;
  if (output_size + taken > output_room) {
    output_room = (output_size + taken) * 2;
    output = realloc(output, output_room);
    if (output == NULL) abort();
  }
  memcpy(output + output_size, text, taken);
  output_size += taken;
  if (taken < size) {
    result->end = MP_OUTPUT_FULL;
    longjmp(leave, 1);
  }
  return (ssize_t)size;
}

static ssize_t write_nothing(void *cookie, const char *text, size_t size) {
  (void)cookie;
  (void)text;
  return (ssize_t)size;
}

static ssize_t read_nothing(void *cookie, char *text, size_t size) {
  (void)cookie;
  (void)text;
  (void)size;
  return 0;
}

static void open_streams(void) {
  cookie_io_functions_t in = {read_nothing, NULL, NULL, NULL};
  cookie_io_functions_t out = {NULL, write_output, NULL, NULL};
  cookie_io_functions_t errors = {NULL, write_nothing, NULL, NULL};
  moonphase_streams[0] = fopencookie(NULL, "r", in);
  moonphase_streams[1] = fopencookie(NULL, "w", out);
  moonphase_streams[2] = fopencookie(NULL, "w", errors);
  /* What is printed counts at once: a full buffer is written by whoever fills it. */
  setvbuf(moonphase_streams[1], NULL, _IONBF, 0);
}

static void keep_message(lua_State *L) {
  size_t size = 0;
  const char *text = lua_tolstring(L, -1, &size);
  if (text == NULL) {
    size = (size_t)snprintf(message, sizeof message, "(error object is a %s value)", luaL_typename(L, -1));
  } else {
    if (size > sizeof message) size = sizeof message;
    memcpy(message, text, size);
  }
  result->message = message;
  result->message_size = size;
}

static int open_libraries(lua_State *L) {
  luaL_openlibs(L);
  if (luaL_loadbuffer(L, given->prelude, given->prelude_size, "=prelude") != 0) return lua_error(L);
  lua_call(L, 0, 0);
  return 0;
}

/* Collects until no finalizer is called and nothing is freed any more; whether it came to that. What a collection finds dead may have
** kept something alive in it: the value of a weak key in 5.1, for instance. */
static int collect_all(lua_State *L) {
  int left;
  for (left = 8; left > 0; left--) {
    uint64_t before = ticks, alive = arena.alive;
    lua_gc(L, LUA_GCCOLLECT, 0);
    if (given->ticks && ticks == before && arena.alive == alive) return 1;
  }
  return 0;
}

static void run_script(void) {
  lua_State *L = lua_newstate(allocate, NULL);
  int status, complete = 0;
  if (L == NULL) return;
  main_thread = running = L;
  lua_pushcfunction(L, open_libraries);
  if (lua_pcall(L, 0, 0, 0) != 0) {
    keep_message(L);
    return;
  }
  result->end = MP_RETURNED;
  watching = given->event != NULL;
  if (given->ticks) lua_sethook(L, NULL, 0, 0);
#if LUA_VERSION_NUM >= 504
  if (given->generational) lua_gc(L, LUA_GCGEN, 0, 0);
#endif
  status = luaL_loadbuffer(L, given->source, given->source_size, given->chunk_name);
  if (status == 0) status = lua_pcall(L, 0, 0, 0);
  if (status != 0) {
    result->end = MP_ERROR;
    keep_message(L);
  }
  lua_settop(L, 0);
  if (given->collects) complete = collect_all(L);
  tell(L, MP_ENDED, complete, NULL, NULL);
  lua_close(L);
}

static void *thread_main(void *unused) {
  (void)unused;
  if (setjmp(leave) == 0) run_script();
  return NULL;
}

static void run(const mp_case *the_case, mp_result *the_result) {
  pthread_t thread;
  pthread_attr_t attributes;
  if (moonphase_streams[0] == NULL) open_streams();
  given = the_case;
  result = the_result;
  memset(result, 0, sizeof *result);
  result->end = MP_NO_STATE;
  ticks = 0;
  watching = 0;
  memset(&since, 0, sizeof since);
  memset(&frame, 0, sizeof frame);
  has_failed = 0;
  drawn = given->drive_seed * 2 + 1;
  output_size = 0;
  count_hooks_count = 0;
  main_thread = running = NULL;
  arena_reset(given->arena, given->arena_size, given->arena_dirty, given->memory_limit);
  pthread_attr_init(&attributes);
  pthread_attr_setstack(&attributes, given->stack, given->stack_size);
  if (pthread_create(&thread, &attributes, thread_main, NULL) == 0) pthread_join(thread, NULL);
  pthread_attr_destroy(&attributes);
  result->arena_used = arena_used();
  result->ticks = ticks;
  result->output = output;
  result->output_size = output_size;
  given = NULL;
}

EXPORTED const mp_engine *moonphase_engine(void) {
  static const mp_engine engine = {
    MP_ABI, LUA_VERSION_NUM, LUA_RELEASE, run, look_now, glance, string_at, definition, location,
    upvalue_name, slot_name, key_text, depth, deed, damage
  };
  return &engine;
}

/* }================================================================== */
