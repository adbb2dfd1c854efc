// Memory for transfers, given out once, and the masking of RFC 6455 5.3 on it.
//
// Knows no descriptor. Nobody here ever keeps a pointer into memory that JavaScript owns: what is
// kept is ours, counted, and freed by whichever of the two owners lets go last.
#include <stdlib.h>
#include <string.h>

#include "addon.h"

namespace extpoll {

constexpr Range kBufferRange{1, 1073741824.0};

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "masking takes the low byte first");

static void drop(Block* block) {
  if (--block->refs != 0) return;
  free(block->data);
  delete block;
}

static void forget_shared(Addon* addon, Block* block) {
  Block* last = addon->shared.back();
  addon->shared[block->index] = last;
  last->index = block->index;
  addon->shared.pop_back();
}

// The runtime says that nobody in JavaScript references the ArrayBuffer's memory any more. It says
// so on our own thread, also where the memory was last referenced from another.
static void array_buffer_gone(napi_env env, void*, void* hint) {
  Block* block = static_cast<Block*>(hint);
  if (block->array_buffer != nullptr) {
    void* addon = nullptr;
    napi_get_instance_data(env, &addon);
    forget_shared(static_cast<Addon*>(addon), block);
    napi_delete_reference(env, block->array_buffer);
    block->array_buffer = nullptr;
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
  Block* block = new Block;
  block->data = static_cast<uint8_t*>(calloc(size, 1));
  block->size = size;
  if (block->data == nullptr) {
    delete block;
    return false;
  }
  const napi_status status = napi_create_external_arraybuffer(addon->env, block->data, size,
                                                              array_buffer_gone, block, result);
  if (status != napi_ok) {
    // Only this refusal promises that the finaliser never runs. After any other it may still run.
    if (status != napi_no_external_buffers_allowed) ++block->refs;
    drop(block);
    return false;
  }
  ++block->refs;
  slot->block = block;
  if (napi_create_reference(addon->env, *result, 0, &block->array_buffer) != napi_ok) return false;
  block->index = addon->shared.size();
  addon->shared.push_back(block);
  watch_for_end(addon);
  return true;
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

// At the end of the environment. An ArrayBuffer that is gone or detached by now, while its memory
// is not yet reported free, was moved, perhaps to another thread that outlives us. The runtime is
// about to report it free all the same, so such a block keeps one reference for good.
static void keep_moved_blocks(Addon* addon) {
  napi_handle_scope scope = nullptr;
  napi_open_handle_scope(addon->env, &scope);
  for (Block* block : addon->shared) {
    napi_value value = nullptr;
    bool detached = true;
    napi_get_reference_value(addon->env, block->array_buffer, &value);
    if (value != nullptr) napi_is_detached_arraybuffer(addon->env, value, &detached);
    if (detached) ++block->refs;
  }
  napi_close_handle_scope(addon->env, scope);
}

void release_buffers(Addon* addon) {
  keep_moved_blocks(addon);
  addon->buffers.each([addon](BufferSlot* slot) { release(addon, slot); });
  addon->buffers.clear();
}

void export_memory(napi_env env, napi_value exports, Addon* addon) {
  export_function(env, exports, addon, "createBuffer", JS_createBuffer);
  export_function(env, exports, addon, "freeBuffer", JS_freeBuffer);
  export_function(env, exports, addon, "mask", JS_mask);
}

}  // namespace extpoll
