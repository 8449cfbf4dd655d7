/// ssh agents as steps see them (RUN --mount=type=ssh).
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "libimage/base/unique_fd.h"

namespace lade::build {

/// A socket of its own owner and mode that passes on to another, as long as it lives.
class SocketProxy {
 public:
  struct Looks {
    std::uint32_t mode = 0600, uid = 0, gid = 0;
  };
  /// Listens at `name` in `dir`, for the socket `target`. Throws where it cannot.
  SocketProxy(const DirFd& dir, const std::string& name, std::string target, const Looks& looks);
  ~SocketProxy();
  SocketProxy(const SocketProxy&) = delete;
  SocketProxy& operator=(const SocketProxy&) = delete;

 private:
  void serve() noexcept;

  std::string target_;
  UniqueFd listening_;
  UniqueFd stopped_;
  std::thread thread_;
};

/// Agents of the system's ssh-agent that hold keys given by their files, one for each list of
/// files, ended with the object. Thread-safe.
class KeyAgents {
 public:
  /// Sockets are made in `directory`; `path` is where programs are looked for.
  KeyAgents(std::string directory, std::string path);
  ~KeyAgents();
  KeyAgents(const KeyAgents&) = delete;
  KeyAgents& operator=(const KeyAgents&) = delete;

  /// The socket of the agent with these keys. Error{command_failed} with what ssh-add says: a key
  /// with a passphrase is refused, because nobody is asked.
  std::string socket(const std::vector<std::string>& key_files);

 private:
  struct Agent;
  std::string directory_;
  std::string path_;
  std::mutex mutex_;
  std::map<std::vector<std::string>, std::unique_ptr<Agent>> agents_;  // guarded by mutex_
};

}  // namespace lade::build
