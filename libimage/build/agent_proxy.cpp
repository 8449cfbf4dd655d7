#include "libimage/build/agent_proxy.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/io/program.h"

namespace lade::build {
namespace {

constexpr std::size_t kMaxConnections = 64;

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    throw Error(Errc::invalid_argument, cat("the socket's path ", quoted(path), " is too long"));
  std::copy(path.begin(), path.end(), address.sun_path);
  return address;
}

UniqueFd connected(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return UniqueFd();
  // By the directory's descriptor: a path may be longer than an address.
  const UniqueFd parent(::open(path.substr(0, slash + 1).c_str(), O_PATH | O_CLOEXEC));
  if (!parent) return UniqueFd();
  const sockaddr_un address = address_of(cat(proc_path(parent.get()), path.substr(slash)));
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return UniqueFd();
  return fd;
}

/// Passes on what is there; false when that end is over.
bool pass_on(int from, int to) {
  char chunk[16384];
  const ssize_t got = ::read(from, chunk, sizeof chunk);
  if (got < 0) return errno == EINTR;
  if (got == 0) return false;
  for (ssize_t done = 0; done < got;) {
    const ssize_t sent =
        ::send(to, chunk + done, static_cast<std::size_t>(got - done), MSG_NOSIGNAL);
    if (sent < 0 && errno != EINTR) return false;
    if (sent > 0) done += sent;
  }
  return true;
}

struct Connection {
  UniqueFd client, target;
};

}  // namespace

SocketProxy::SocketProxy(const DirFd& dir, const std::string& name, std::string target,
                         const Looks& looks)
    : target_(std::move(target)),
      listening_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)),
      stopped_(::eventfd(0, EFD_CLOEXEC)) {
  if (!listening_ || !stopped_) throw_errno("make a socket");
  const sockaddr_un address = address_of(cat(proc_path(dir.get()), "/", name));
  if (::bind(listening_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listening_.get(), 16) != 0)
    throw_errno(cat("listen on ", quoted(name)));
  const bool given = looks.uid != 0 || looks.gid != 0 || ::geteuid() == 0;
  if (::fchmodat(dir.get(), name.c_str(), looks.mode, 0) != 0 ||
      (given &&
       ::fchownat(dir.get(), name.c_str(), looks.uid, looks.gid, AT_SYMLINK_NOFOLLOW) != 0))
    throw_errno(cat("set the owner of ", quoted(name)));
  thread_ = std::thread([this] { serve(); });
}

SocketProxy::~SocketProxy() {
  const std::uint64_t one = 1;
  (void)!::write(stopped_.get(), &one, sizeof one);
  thread_.join();
}

void SocketProxy::serve() noexcept {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  try {
    std::vector<Connection> connections;
    for (;;) {
      std::vector<pollfd> waiting = {{stopped_.get(), POLLIN, 0}, {listening_.get(), POLLIN, 0}};
      if (connections.size() >= kMaxConnections) waiting[1].fd = -1;
      for (const Connection& connection : connections) {
        waiting.push_back({connection.client.get(), POLLIN, 0});
        waiting.push_back({connection.target.get(), POLLIN, 0});
      }
      if (::poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR) return;
      if (waiting[0].revents != 0) return;
      for (std::size_t i = connections.size(); i-- > 0;) {
        const int client = connections[i].client.get();
        const int target = connections[i].target.get();
        const bool open = (waiting[2 + 2 * i].revents == 0 || pass_on(client, target)) &&
                          (waiting[3 + 2 * i].revents == 0 || pass_on(target, client));
        if (!open) connections.erase(connections.begin() + static_cast<std::ptrdiff_t>(i));
      }
      if (waiting[1].revents == 0) continue;
      UniqueFd client(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client) continue;
      UniqueFd target = connected(target_);
      if (target) connections.push_back({std::move(client), std::move(target)});
    }
  } catch (const std::exception&) {  // out of memory: the step sees a dead agent
  }
}

struct KeyAgents::Agent {
  std::string socket;
  std::stop_source stop;
  std::thread thread;
  ~Agent() {
    stop.request_stop();
    if (thread.joinable()) thread.join();
  }
};

KeyAgents::KeyAgents(std::string directory, std::string path)
    : directory_(std::move(directory)), path_(std::move(path)) {}

KeyAgents::~KeyAgents() = default;

std::string KeyAgents::socket(const std::vector<std::string>& key_files) {
  const std::scoped_lock lock(mutex_);
  std::unique_ptr<Agent>& known = agents_[key_files];
  if (known) return known->socket;
  auto agent = std::make_unique<Agent>();
  const std::string name = cat("agent-", agents_.size());
  agent->socket = cat(directory_, "/", name);
  const ProgramCall serve{.path = find_program("ssh-agent", path_),
                          .args = {"-D", "-a", name},
                          .directory = directory_};
  agent->thread = std::thread([serve, stop = agent->stop.get_token()] {
    try {
      (void)run_program(serve, stop);
    } catch (const std::exception&) {  // stopped; that it never began is told by the wait below
    }
  });
  constexpr int kTries = 500;
  for (int i = 0; i < kTries && !connected(agent->socket); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  ProgramCall add{.path = find_program("ssh-add", path_),
                  .args = {"-q", "--"},
                  .environment = {cat("SSH_AUTH_SOCK=", name), "SSH_ASKPASS=/bin/false",
                                  "SSH_ASKPASS_REQUIRE=force", "HOME=/nonexistent"},
                  .directory = directory_};
  add.args.insert(add.args.end(), key_files.begin(), key_files.end());
  const ProgramResult added = run_program(add, {});
  if (added.status != 0) {
    agents_.erase(key_files);
    throw Error(Errc::command_failed,
                cat("ssh-add: ", printable(trimmed(added.err).substr(0, 500))));
  }
  known = std::move(agent);
  return known->socket;
}

}  // namespace lade::build
