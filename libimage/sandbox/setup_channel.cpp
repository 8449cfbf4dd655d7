#include "libimage/sandbox/setup_channel.h"

#include <cerrno>
#include <cstring>

#include <poll.h>
#include <sys/socket.h>

namespace lade::sandbox {
namespace {

/// What every packet begins with; the text (message or path) follows. Both ends are one program.
struct Header {
  std::uint32_t kind;
  std::uint32_t code;
  std::int32_t error_number;
  std::int32_t exit_status;
  std::uint32_t mode;
  std::uint32_t uid;
  std::uint32_t gid;
  std::uint32_t unused;
  std::int64_t mtime_seconds;
  std::int64_t mtime_nanoseconds;
};
constexpr std::size_t kMaxPacket = 16384;  // a path and a message fit; longer text is cut

}  // namespace

void send_record(int channel, const SetupRecord& record) noexcept {
  const Header header{static_cast<std::uint32_t>(record.kind),
                      static_cast<std::uint32_t>(record.code),
                      record.error_number,
                      record.exit_status,
                      record.copied_up.mode,
                      record.copied_up.uid,
                      record.copied_up.gid,
                      0,
                      record.copied_up.mtime_seconds,
                      record.copied_up.mtime_nanoseconds};
  const std::string& text =
      record.kind == SetupRecord::Kind::failed ? record.message : record.copied_up.path;
  char packet[kMaxPacket];
  const std::size_t length = std::min(text.size(), sizeof packet - sizeof header);
  std::memcpy(packet, &header, sizeof header);
  std::memcpy(packet + sizeof header, text.data(), length);
  while (::send(channel, packet, sizeof header + length, MSG_NOSIGNAL) < 0 && errno == EINTR) {
  }
}

std::optional<SetupRecord> receive_record(int channel) {
  char packet[kMaxPacket];
  ssize_t size = 0;
  do {
    size = ::recv(channel, packet, sizeof packet, 0);
  } while (size < 0 && errno == EINTR);
  if (size < 0 && errno != ECONNRESET) throw_errno("read the step's set-up channel");
  if (size <= 0) return std::nullopt;
  Header header{};
  if (static_cast<std::size_t>(size) < sizeof header) {
    throw Error(Errc::internal, "read the step's set-up channel: short record");
  }
  std::memcpy(&header, packet, sizeof header);
  std::string text(packet + sizeof header, static_cast<std::size_t>(size) - sizeof header);
  SetupRecord record;
  record.kind = static_cast<SetupRecord::Kind>(header.kind);
  record.code = header.code <= static_cast<std::uint32_t>(Errc::internal)
                    ? static_cast<Errc>(header.code)
                    : Errc::internal;
  record.error_number = header.error_number;
  record.exit_status = header.exit_status;
  if (record.kind == SetupRecord::Kind::failed) {
    record.message = std::move(text);
  } else {
    record.copied_up = {std::move(text), header.mode,          header.uid,
                        header.gid,      header.mtime_seconds, header.mtime_nanoseconds};
  }
  return record;
}

Error failure_of(const SetupRecord& record) {
  ErrorDetail detail;
  if (record.error_number != 0) detail = ErrnoDetail{record.error_number};
  return {record.code, record.message, detail};
}

int await_proceed(int channel) {
  const std::optional<SetupRecord> record = receive_record(channel);
  if (!record || record->kind != SetupRecord::Kind::proceed) {
    throw Error(Errc::unavailable, "wait for the parent: it is gone");
  }
  return record->exit_status;
}

bool is_hung_up(int channel) noexcept {
  pollfd entry{channel, POLLRDHUP, 0};
  return ::poll(&entry, 1, 0) > 0 && (entry.revents & (POLLHUP | POLLRDHUP | POLLERR)) != 0;
}

}  // namespace lade::sandbox
