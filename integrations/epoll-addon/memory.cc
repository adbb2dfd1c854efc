// Memory for transfers, given out once, and the masking of RFC 6455 5.3 on it.
//
// Knows no descriptor. Nobody here ever keeps a pointer into memory that JavaScript owns: what is
// kept is ours, counted, and freed by whichever of the two owners lets go last.
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "addon.h"
#include "sanitizer.h"

namespace extpoll {

constexpr Range kBufferRange{1, 1073741824.0};

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "masking takes the low byte first");

static void drop(Block* block) {
  if (--block->refs != 0) return;
  unpoison(block->data, block->mapped);
  if (!block->stays_mapped) munmap(block->data, block->mapped);
  delete block;
}

// True once the environment is ending: it refuses whatever might run JavaScript.
static bool is_ending(napi_env env) {
  napi_value value = nullptr;
  bool same = false;
  napi_get_undefined(env, &value);
  return napi_strict_equals(env, value, value, &same) != napi_ok;
}

// The runtime says that the ArrayBuffer is gone, on our own thread. While the environment lives
// this means that nobody in JavaScript, on any thread, references the memory any more. When the
// environment ends it is said of all, also of memory that JavaScript moved to a thread which
// outlives us, and nothing tells the two apart. Then only the pages are given back: the addresses
// stay valid for good and read as zeros.
static void array_buffer_gone(napi_env env, void*, void* hint) {
  Block* block = static_cast<Block*>(hint);
  if (is_ending(env)) {
    madvise(block->data, block->mapped, MADV_DONTNEED);
    block->stays_mapped = true;
  }
  drop(block);
}

bool buffer_memory(const Addon* addon, int id, uint8_t** data, size_t* size) {
  const BufferSlot* slot = addon->buffers.find(id);
  if (slot == nullptr) return false;
  if (slot->block != nullptr) {
    *data = slot->block->data;
    *size = slot->block->size;
    return true;
  }
  napi_value array_buffer = nullptr;
  void* memory = nullptr;
  if (napi_get_reference_value(addon->env, slot->managed, &array_buffer) != napi_ok) return false;
  if (array_buffer == nullptr) return false;
  // A detached ArrayBuffer answers 0 bytes, so that every span lies outside of it.
  if (napi_get_arraybuffer_info(addon->env, array_buffer, &memory, size) != napi_ok) return false;
  *data = static_cast<uint8_t*>(memory);
  return true;
}

void throw_unknown_buffer(napi_env env, const char* fn) {
  throw_code(env, "ERR_EXTPOLL_BUFFER", fn, "there is no such buffer, or it was freed.");
}

void throw_outside(napi_env env, const char* fn) {
  throw_range(env, fn, "offset and length", "inside the buffer");
}

// An ArrayBuffer over memory of ours. False where the runtime has none to give or forbids it.
static bool make_external(Addon* addon, size_t size, BufferSlot* slot, napi_value* result) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t guard = kSanitized ? page : 0;  // so that the byte after the last is never ours
  const size_t mapped = (size + page - 1) / page * page + guard;
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  void* memory = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (memory == MAP_FAILED) return false;
  Block* block = new Block;
  block->data = static_cast<uint8_t*>(memory);
  block->size = size;
  block->mapped = mapped;
  poison(block->data + size, mapped - size);
  const napi_status status =
      napi_create_external_arraybuffer(addon->env, memory, size, array_buffer_gone, block, result);
  // Only the refusal promises that the finaliser never runs. After any other failure it may still.
  if (status != napi_no_external_buffers_allowed) ++block->refs;
  if (status == napi_ok) {
    slot->block = block;
  } else {
    drop(block);
  }
  return status == napi_ok;
}

static bool make_managed(Addon* addon, size_t size, BufferSlot* slot, napi_value* result) {
  void* memory = nullptr;
  if (napi_create_arraybuffer(addon->env, size, &memory, result) != napi_ok) return false;
  return napi_create_reference(addon->env, *result, 1, &slot->managed) == napi_ok;
}

static void release(Addon* addon, BufferSlot* slot) {
  if (slot->block != nullptr) drop(slot->block);
  if (slot->managed != nullptr) napi_delete_reference(addon->env, slot->managed);
  delete slot;
}

// createBuffer(byteLength, managed) -> [id, ArrayBuffer]
static napi_value JS_createBuffer(napi_env env, napi_callback_info info) {
  Args<2> args(env, info, "createBuffer");
  size_t size = 0;
  bool managed = false;
  if (!args.integer(0, "byteLength", kBufferRange, &size)) return nullptr;
  if (!args.boolean(1, "managed", &managed)) return nullptr;
  BufferSlot* slot = new BufferSlot;
  napi_value array_buffer = nullptr;
  const bool made = (!managed && make_external(args.addon, size, slot, &array_buffer)) ||
                    make_managed(args.addon, size, slot, &array_buffer);
  const int id = made ? args.addon->buffers.add(slot) : 0;
  if (id == 0) {
    release(args.addon, slot);
    bool pending = false;
    napi_is_exception_pending(env, &pending);
    if (!pending) throw_code(env, "ERR_EXTPOLL_NO_MEMORY", args.fn, "there is no memory left.");
    return nullptr;
  }
  napi_value result = nullptr;
  napi_create_array_with_length(env, 2, &result);
  napi_set_element(env, result, 0, number(env, id));
  napi_set_element(env, result, 1, array_buffer);
  return result;
}

// freeBuffer(id) -> undefined. JavaScript may go on reading the ArrayBuffer it holds.
static napi_value JS_freeBuffer(napi_env env, napi_callback_info info) {
  Args<1> args(env, info, "freeBuffer");
  int id = 0;
  if (!args.integer(0, "buffer id", kIdRange, &id)) return nullptr;
  BufferSlot* slot = args.addon->buffers.remove(id);
  if (slot == nullptr) {
    throw_unknown_buffer(env, args.fn);
    return nullptr;
  }
  release(args.addon, slot);
  return nullptr;
}

// Wide words first: the compiler turns the loop into vector instructions, whatever the alignment.
static void mask_bytes(uint8_t* data, size_t length, uint32_t key) {
  const uint64_t wide = static_cast<uint64_t>(key) << 32 | key;
  size_t at = 0;
  for (; at + 32 <= length; at += 32) {
    uint64_t words[4];
    memcpy(words, data + at, sizeof words);
    for (uint64_t& word : words) word ^= wide;
    memcpy(data + at, words, sizeof words);
  }
  for (; at < length; ++at) data[at] ^= static_cast<uint8_t>(key >> (at % 4 * 8));
}

// mask(buffer id, offset, length, key) -> undefined
static napi_value JS_mask(napi_env env, napi_callback_info info) {
  Args<4> args(env, info, "mask");
  Span span;
  int64_t key = 0;
  if (!span_arguments(args, 0, &span)) return nullptr;
  if (!args.integer(3, "key", {-2147483648.0, 4294967295.0}, &key)) return nullptr;
  mask_bytes(span.data, span.length, static_cast<uint32_t>(key));
  return nullptr;
}

void release_buffers(Addon* addon) {
  addon->buffers.each([addon](BufferSlot* slot) { release(addon, slot); });
  addon->buffers.clear();
}

void export_memory(napi_env env, napi_value exports, Addon* addon) {
  export_function(env, exports, addon, "createBuffer", JS_createBuffer);
  export_function(env, exports, addon, "freeBuffer", JS_freeBuffer);
  export_function(env, exports, addon, "mask", JS_mask);
}

}  // namespace extpoll
