/// The socket between the process that asked for a step and the one that sets it up. Each packet is
/// one record; the parent's end closing means "stop" (asked to, or dead).
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "libimage/base/error.h"
#include "libimage/base/unique_fd.h"

namespace lade::sandbox {

/// A directory that making a mount point copied into the upper directory, as it was before.
struct CopiedUp {
  std::string path;  ///< relative to the root, no links in it
  std::uint32_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::int64_t mtime_seconds = 0;
  std::int64_t mtime_nanoseconds = 0;
};

struct SetupRecord {
  enum class Kind : std::uint8_t {
    failed = 1,
    ended = 2,
    copied_up = 3,
    mounted = 4,  ///< the hooks of the runtime's namespaces are to be run, then proceed
    ready = 5,    ///< all but the command's start is done
    proceed = 6,  ///< of the parent
  };
  Kind kind = Kind::ended;
  Errc code = Errc::internal;  ///< failed
  int error_number = 0;        ///< failed; 0 if none
  std::string message = {};    ///< failed
  int exit_status = 0;         ///< ended; proceed: the process's id as its parent has it
  CopiedUp copied_up = {};     ///< copied_up
};

/// Sends one record; failures are dropped, for then nobody listens.
void send_record(int channel, const SetupRecord& record) noexcept;

/// What a record of kind `failed` tells.
Error failure_of(const SetupRecord& record);

/// Waits for the parent's word to go on; the id that it came with. Error{unavailable} if it is
/// gone.
int await_proceed(int channel);

/// The next record; nullopt at the end. Error{internal} for bytes that are no record.
std::optional<SetupRecord> receive_record(int channel);

/// True once the other end is closed.
bool is_hung_up(int channel) noexcept;

}  // namespace lade::sandbox
