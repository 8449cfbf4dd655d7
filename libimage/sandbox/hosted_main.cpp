#include "libimage/sandbox/hosted_main.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/io/program.h"
#include "libimage/io/stream.h"
#include "libimage/sandbox/child_program.h"
#include "libimage/sandbox/console.h"
#include "libimage/sandbox/hosted_step.h"
#include "libimage/sandbox/reaper.h"

namespace lade::sandbox {
namespace {

constexpr std::uint64_t kMaxPidFileBytes = 32;
constexpr std::uint64_t kMaxLogBytes = std::uint64_t{1} * 1024 * 1024;
constexpr std::string_view kPath =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The runtime's command line.
class RuntimeCommands {
 public:
  explicit RuntimeCommands(const Hosting& hosting) : hosting_(hosting) {}

  void run(std::vector<std::string> words) const {
    std::vector<std::string> args = {
        hosting_.program, "--root", cat(hosting_.bundle, "/", kHostedState), "--log", log_path(),
        "--log-format",   "json"};
    args.insert(args.end(), hosting_.flags.begin(), hosting_.flags.end());
    args.insert(args.end(), words.begin(), words.end());
    run_program({.path = hosting_.program,
                 .args = std::move(args),
                 .env = {std::string(kPath), cat("XDG_RUNTIME_DIR=", hosting_.bundle)},
                 .output = 1});
  }

  /// The last message that it logged, or "".
  [[nodiscard]] std::string last_message() const {
    const UniqueFd file(::open(log_path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file) return {};
    FdSource source(UniqueFd(::dup(file.get())), "log");
    const std::string log = read_all(source, kMaxLogBytes, "log");
    const std::string_view text = trimmed(log);
    const std::size_t line = text.rfind('\n');
    const auto record = nlohmann::json::parse(
        text.substr(line == std::string_view::npos ? 0 : line + 1), nullptr, false);
    if (!record.is_object() || !record.contains("msg") || !record["msg"].is_string()) return {};
    return record["msg"].get<std::string>();
  }

 private:
  [[nodiscard]] std::string log_path() const { return cat(hosting_.bundle, "/", kHostedLog); }
  const Hosting& hosting_;
};

/// 126 and 127 as users know them, where the runtime's words tell of the command and not of the
/// set-up.
std::optional<int> status_in(const std::string& message) {
  const auto has = [&](std::string_view words) { return message.find(words) != std::string::npos; };
  if (!has("executable file") && !has("exec") && !has("open executable")) return std::nullopt;
  if (has("not found") || has("No such file") || has("no such file")) return 127;
  if (has("ermission denied") || has("xec format error")) return 126;
  return std::nullopt;
}

/// A container that exists; deleted with the object.
class HostedContainer {
 public:
  HostedContainer(const RuntimeCommands& commands, const Hosting& hosting)
      : commands_(commands), id_(hosting.id) {}
  HostedContainer(const HostedContainer&) = delete;
  HostedContainer& operator=(const HostedContainer&) = delete;
  ~HostedContainer() {
    try {
      commands_.run({"delete", "--force", id_});
    } catch (const Error&) {  // it may never have come to be
    }
    // What was started below it has this process for its parent now, and is ended.
    for (;;) {
      const pid_t pid = ::waitpid(-1, nullptr, 0);
      if (pid < 0 && errno != EINTR) break;
    }
  }

 private:
  const RuntimeCommands& commands_;
  std::string id_;
};

/// Where the runtime sends the terminal, if the step has one.
class ConsoleListener {
 public:
  explicit ConsoleListener(const Step& step) {
    if (!step.spec.config.process.terminal) return;
    path_ = cat(step.spec.hosting.bundle, "/tty");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path_.size() >= sizeof address.sun_path)
      throw_errno(cat("listen at ", lade::quoted(path_)), ENAMETOOLONG);
    std::memcpy(address.sun_path, path_.data(), path_.size());
    socket_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket_ ||
        ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(socket_.get(), 1) != 0) {
      throw_errno("listen for the terminal");
    }
  }
  void add_option(std::vector<std::string>& words) const {
    if (socket_) words.insert(words.begin() + 1, {"--console-socket", path_});
  }
  /// After `create`: what it sent goes on to whoever asked for the step.
  void pass_on(int socket) const {
    if (!socket_) return;
    const UniqueFd connection(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection) throw_errno("accept the terminal");
    send_console(socket, receive_console(connection.get()).get());
  }

 private:
  std::string path_;
  UniqueFd socket_;
};

pid_t read_pid(const std::string& path) {
  FdSource source(UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)), path);
  const std::string text = read_all(source, kMaxPidFileBytes, "pid file");
  const auto pid = parse_decimal(trimmed(text));
  if (!pid || *pid == 0 || *pid > 1U << 22U) {
    throw Error(Errc::invalid_content, cat("the runtime's pid file has ", lade::quoted(text)));
  }
  return static_cast<pid_t>(*pid);
}

/// Waits for the container's first process, which gets the signals that this one gets; killed
/// early if the channel hangs up.
int wait_for(pid_t pid, int channel) {
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)));
  if (!process) throw_errno("watch the container");
  const UniqueFd signals = open_supervised_signals();
  const auto send = [&](int signal) {
    (void)::syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0U);
  };
  std::array<pollfd, 3> watched = {
      {{process.get(), POLLIN, 0}, {channel, POLLRDHUP, 0}, {signals.get(), POLLIN, 0}}};
  do {
    if (::poll(watched.data(), watched.size(), -1) < 0) {
      if (errno != EINTR) throw_errno("wait for the container");
      continue;
    }
    if (watched[2].revents != 0) pass_signals_on(signals.get(), send);
  } while (watched[0].revents == 0 && watched[1].revents == 0);
  if (watched[0].revents == 0) send(SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) throw_errno("wait for the container");
  }
  return exit_status_of(status);
}

}  // namespace

int run_hosted_container(const Step& step) {
  const Hosting& hosting = step.spec.hosting;
  // The container's first process comes to this one when `create` has ended.
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) throw_errno("become its reaper");
  // From here a hang-up of the channel tells of the parent's end, and leaves time to delete it.
  if (::prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) != 0) throw_errno("watch the parent");
  const RuntimeCommands commands(hosting);
  const HostedContainer container(commands, hosting);
  const std::string pid_file = cat(hosting.bundle, "/pid");
  try {
    const ConsoleListener console(step);
    std::vector<std::string> create = {"create",     "--bundle", hosting.bundle,
                                       "--pid-file", pid_file,   hosting.id};
    console.add_option(create);
    commands.run(std::move(create));
    console.pass_on(step.spec.console_socket);
    const pid_t pid = read_pid(pid_file);
    commands.run({"start", hosting.id});
    return wait_for(pid, step.spec.channel);
  } catch (const Error& e) {
    const std::string message = commands.last_message();
    if (const auto status = status_in(message)) return *status;
    throw Error(e.code(), cat("runtime ", lade::quoted(hosting.program), ": ", e.what(),
                              message.empty() ? "" : ": ", printable(message)));
  }
}

}  // namespace lade::sandbox
