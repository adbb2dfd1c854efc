{
  "targets": [
    {
      "target_name": "extpoll",
      "sources": [
        "addon.cc",
        "addresses.cc",
        "adopt.cc",
        "arguments.cc",
        "events.cc",
        "files.cc",
        "memory.cc",
        "poller.cc",
        "resolver.cc",
        "shared.cc",
        "shed.cc",
        "signals.cc",
        "sockets.cc",
        "status.cc",
        "uv-poll.cc"
      ],
      "cflags_cc": [
        "-std=c++17",
        "-O2",
        "-fPIC",
        "-fvisibility=hidden",
        "-fno-exceptions",
        "-fno-rtti",
        "-Wall",
        "-Wextra"
      ],
      "ldflags": ["-Wl,-z,nodelete"]
    }
  ]
}
