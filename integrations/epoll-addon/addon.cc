// The addon's beginning and end: registers what JavaScript can call, frees everything when the
// environment ends.
//
// Knows no syscall but close. Source: Node-API, "Object lifetime management" and "Cleanup on exit
// of the current Node.js environment".
#include "addon.h"

#include <unistd.h>

namespace extpoll {

void FdTable::set(int fd, FdKind kind) {
  const size_t index = static_cast<size_t>(fd);
  if (index >= kinds_.size()) {
    if (kind == FdKind::kNone) return;
    kinds_.resize(index + 1, FdKind::kNone);
  }
  kinds_[index] = kind;
  if (index < peers_.size()) peers_[index] = Peer{};
}

void FdTable::set_peer(int fd, const Peer& peer) {
  const size_t index = static_cast<size_t>(fd);
  if (index >= peers_.size()) peers_.resize(index + 1);
  peers_[index] = peer;
}

// Runs when the environment ends, by itself, by process.exit in a worker, or by terminate().
// JavaScript runs no more. Order matters: signal handlers stop before their descriptors close.
static void end_of_environment(void* data) {
  Addon* addon = static_cast<Addon*>(data);
  release_signals(addon);
  release_pollers(addon);
  release_resolver(addon);
  for (int fd = 0; fd < addon->fds.size(); ++fd) {
    if (addon->fds.kind(fd) == FdKind::kNone) continue;
    if (addon->fds.kind(fd) == FdKind::kEvent) {
      close_event(addon, fd);
      continue;
    }
    forget_unix_path(addon, fd, true);
    forget_spare(addon, fd);
    forget_shared(addon, fd);
    addon->fds.set(fd, FdKind::kNone);
    close(fd);
  }
  release_buffers(addon);
}

void export_function(napi_env env, napi_value exports, Addon* addon, const char* name,
                     napi_callback function) {
  napi_value value = nullptr;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, function, addon, &value) != napi_ok) return;
  napi_set_named_property(env, exports, name, value);
}

static void delete_addon(napi_env, void* data, void*) { delete static_cast<Addon*>(data); }

static napi_value init(napi_env env, napi_value exports) {
  Addon* addon = new Addon(env);
  if (napi_set_instance_data(env, addon, delete_addon, nullptr) != napi_ok) {
    delete addon;
    napi_throw_error(env, "ERR_EXTPOLL_NO_ADDON", "The addon could not start in this thread.");
    return nullptr;
  }
  napi_add_env_cleanup_hook(env, end_of_environment, addon);
  export_memory(env, exports, addon);
  export_sockets(env, exports, addon);
  export_adopt(env, exports, addon);
  export_addresses(env, exports, addon);
  export_poller(env, exports, addon);
  export_events(env, exports, addon);
  export_files(env, exports, addon);
  export_shared(env, exports, addon);
  export_shed(env, exports, addon);
  export_signals(env, exports, addon);
  export_uv_poll(env, exports, addon);
  export_resolver(env, exports, addon);
  return exports;
}

}  // namespace extpoll

NAPI_MODULE_INIT() { return extpoll::init(env, exports); }
