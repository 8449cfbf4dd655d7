/// The network of steps: the machine's, a loopback interface alone, one namespace for all steps of
/// a build with a way out through slirp4netns or pasta, or a namespace that somebody else made.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/sandbox/runtime_config.h"

namespace lade::sandbox {

enum class NetworkKind : std::uint8_t {
  host,    ///< the machine's own
  none,    ///< a namespace for each step with a loopback interface only
  own,     ///< one namespace for all steps, connected by a helper program
  joined,  ///< a namespace by its path
};

/// The word for it in messages and keys: "host", "none", "private", "ns".
std::string_view name_of(NetworkKind kind) noexcept;

/// The programs that connect a namespace in user space.
enum class NetworkHelper : std::uint8_t { slirp4netns, pasta };

/// pasta passes queries for this address on to the machine's name servers.
inline constexpr const char* kPastaNameServer = "169.254.1.1";

struct NetworkChoice {
  NetworkKind kind = NetworkKind::host;
  std::string path = {};  ///< joined: of the namespace
  NetworkHelper helper = NetworkHelper::slirp4netns;
  std::string program = {};             ///< own: the helper's executable
  std::vector<std::string> flags = {};  ///< own: further arguments of it
  bool operator==(const NetworkChoice&) const = default;
};

/// What a choice comes to when the first step needs it; what was made for it is gone with the
/// object, and with the process however it ends. Thread-safe.
class Network {
 public:
  explicit Network(NetworkChoice choice);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  [[nodiscard]] const NetworkChoice& choice() const noexcept { return choice_; }

  /// Gives a step this network. Error{unavailable} with the helper's words if it does not come up.
  void give_to(RuntimeConfig& step);
  /// The address of the next machine on the way out ("10.0.2.2"), which is where this machine is
  /// under slirp4netns; "127.0.0.1" on the machine's network; "" if there is none.
  std::string gateway();
  /// The name server that the helper is; "" if it is none.
  std::string name_server();

 private:
  struct Made;
  Made& made();

  const NetworkChoice choice_;
  std::unique_ptr<Made> made_;
};

}  // namespace lade::sandbox
