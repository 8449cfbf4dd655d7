// Runtime::create, start and exec: what begins a process.
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/base/timestamp.h"
#include "libimage/io/atomic_file.h"
#include "libimage/io/path.h"
#include "libimage/runtime/config_json.h"
#include "libimage/runtime/container.h"
#include "libimage/sandbox/hooks.h"
#include "libimage/sandbox/launch.h"
#include "libimage/sandbox/setup_channel.h"
#include "libimage/sandbox/validate.h"

namespace lade::runtime {
namespace {

using sandbox::Cgroup;
using sandbox::SetupRecord;

constexpr const char* kCreatingMark = "creating";  // while it is there, `create` has not ended well

void write_pid_file(const std::string& path, pid_t pid) {
  if (path.empty()) return;
  const std::size_t slash = path.rfind('/');
  const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const DirFd dir = open_dir(parent);
  AtomicFile file(dir, path.substr(slash == std::string::npos ? 0 : slash + 1));
  file.write(bytes_of(cat(pid)));
  file.commit();
}

UniqueFd connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    throw_errno(cat("connect to ", quoted(path)), ENAMETOOLONG);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket ||
      ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw_errno(cat("connect to ", quoted(path)));
  }
  return sandbox::above_streams(std::move(socket));
}

/// The socket for a terminal; Error unless there is one exactly where a terminal is asked for.
UniqueFd console_socket(const sandbox::Process& process, const ProcessOptions& options) {
  const bool given = !options.console_socket.empty() || options.console_fd >= 0;
  if (process.terminal && !given) {
    throw Error(Errc::invalid_argument, "process.terminal needs a console socket");
  }
  if (!process.terminal && given) {
    throw Error(Errc::invalid_argument, "a console socket without process.terminal");
  }
  if (!given) return {};
  if (options.console_fd < 0) return connect_to(options.console_socket);
  UniqueFd copy(::fcntl(options.console_fd, F_DUPFD_CLOEXEC, 3));
  if (!copy) throw_errno("duplicate console socket");
  return copy;
}

/// Follows the set-up up to `ready`; `mounted` is called when the runtime's hooks are due.
void follow(const sandbox::Launched& launched, const std::function<void()>& mounted) {
  while (const std::optional<SetupRecord> record =
             sandbox::receive_record(launched.channel.get())) {
    switch (record->kind) {
      case SetupRecord::Kind::ready:
        return;
      case SetupRecord::Kind::mounted:
        mounted();
        sandbox::send_record(launched.channel.get(), {.kind = SetupRecord::Kind::proceed,
                                                      .exit_status = launched.spawned.pid});
        break;
      case SetupRecord::Kind::failed:
        throw sandbox::failure_of(*record);
      case SetupRecord::Kind::ended:
      case SetupRecord::Kind::copied_up:
      case SetupRecord::Kind::proceed:
        break;
    }
  }
  throw Error(Errc::internal, "set up container: its first process ended");
}

/// A container in the making: taken apart again unless it is finished.
class Creation {
 public:
  Creation(const StateRoot& root, ContainerState state, Record record, const Warn& warn)
      : root_(root), state_(std::move(state)), record_(std::move(record)), warn_(warn) {
    const UniqueFd mark = open_entry(state_.dir(), kCreatingMark, O_CREAT | O_WRONLY, 0600);
    if (::mkfifoat(state_.dir().get(), ContainerState::kStartFifo, 0600) != 0) {
      throw_errno("create start FIFO");
    }
  }
  Creation(const Creation&) = delete;
  Creation& operator=(const Creation&) = delete;
  ~Creation() {
    if (finished_) return;
    if (launched_) sandbox::kill_spawned(launched_->spawned);
    if (!cgroup_.empty()) cgroup_.signal_all(SIGKILL);
    (void)cgroup_.remove();
    try {
      root_.remove(record_.id);
    } catch (const Error& e) {
      warn_(e.what());
    }
  }

  void make_cgroup(const sandbox::RuntimeConfig& config) {
    const std::string path = config.cgroups_path.empty() ? record_.id : config.cgroups_path;
    try {
      cgroup_ = Cgroup::create(path);
      record_.cgroups = cgroup_.paths();
    } catch (const Error&) {
      // Without rights there is none, which matters only where one is asked for.
      if (::geteuid() == 0 || config.resources || !config.cgroups_path.empty()) throw;
      return;
    }
    if (config.resources) cgroup_.apply(*config.resources, Cgroup::Failure::is_error);
  }

  void launch(const sandbox::RuntimeConfig& config, const ProcessOptions& options) {
    // Held open for reading too, so that opening does not wait and `start` finds a reader.
    const UniqueFd fifo = sandbox::above_streams(
        open_entry(state_.dir(), ContainerState::kStartFifo, O_RDWR | O_NONBLOCK));
    if (::fcntl(fifo.get(), F_SETFL, 0) != 0) throw_errno("prepare start FIFO");
    const UniqueFd console = console_socket(config.process, options);
    launched_ = sandbox::launch({.config = config,
                                 .mode = sandbox::InitMode::container,
                                 .input = options.input,
                                 .output = options.output,
                                 .errors = options.errors,
                                 .start_fifo = fifo.get(),
                                 .console_socket = console.get(),
                                 .preserve_fds = options.preserve_fds,
                                 .keyring = options.keyring,
                                 .state_head = state_head(record_),
                                 .cgroup = cgroup_.empty() ? nullptr : &cgroup_});
    record_.pid = launched_->spawned.pid;
    record_.pid_start = start_of(record_.pid).value_or(0);
    state_.save(record_);
    follow(*launched_, [&] {
      const std::string state = sandbox::hook_state(state_head(record_), "creating", record_.pid);
      run_hooks(config.hooks.prestart, "prestart", state);
      run_hooks(config.hooks.create_runtime, "createRuntime", state);
    });
  }

  Child finish(const ProcessOptions& options) {
    write_pid_file(options.pid_file, record_.pid);
    if (::unlinkat(state_.dir().get(), kCreatingMark, 0) != 0) throw_errno("finish the creation");
    finished_ = true;
    return {record_.pid, std::move(launched_->spawned.pidfd)};
  }

 private:
  const StateRoot& root_;
  ContainerState state_;
  Record record_;
  const Warn& warn_;
  Cgroup cgroup_;
  std::optional<sandbox::Launched> launched_;
  bool finished_ = false;
};

/// Those of the container's namespaces that are not the runtime's own, by its first process.
std::map<sandbox::Namespace, UniqueFd> namespaces_of(const Record& record) {
  using sandbox::Namespace;
  constexpr std::array<std::pair<const char*, Namespace>, 8> kNames = {
      {{"user", Namespace::user},
       {"pid", Namespace::pid},
       {"ipc", Namespace::ipc},
       {"uts", Namespace::uts},
       {"net", Namespace::network},
       {"cgroup", Namespace::cgroup},
       {"mnt", Namespace::mount},
       {"time", Namespace::time}}};
  std::map<Namespace, UniqueFd> found;
  for (const auto& [name, kind] : kNames) {
    struct stat theirs {};
    struct stat ours {};
    const std::string path = cat("/proc/", record.pid, "/ns/", name);
    UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) {
      if (errno == ENOENT) continue;  // a kernel without it
      throw_errno(cat("open ", quoted(path)));
    }
    if (::fstat(file.get(), &theirs) != 0) throw_errno("stat namespace");
    if (::stat(cat("/proc/self/ns/", name).c_str(), &ours) == 0 && ours.st_ino == theirs.st_ino &&
        ours.st_dev == theirs.st_dev) {
      continue;
    }
    found.emplace(kind, sandbox::above_streams(std::move(file)));
  }
  return found;
}

}  // namespace

Child Runtime::create(const std::string& id, const std::string& bundle,
                      const ProcessOptions& options) {
  check_id(id);
  const sandbox::RuntimeConfig config = load_bundle(bundle);
  Record record{.oci_version = config.oci_version,
                .id = id,
                .bundle = real_path(bundle).value_or(bundle),
                .rootfs = config.root.path,
                .created = to_rfc3339(system_now()),
                .annotations = config.annotations};
  ContainerState state = root_.create(id);
  state.save_config(serialise(config));
  Creation creation(root_, std::move(state), std::move(record), warn_);
  creation.make_cgroup(config);
  creation.launch(config, options);
  return creation.finish(options);
}

void Runtime::start(const std::string& id) {
  const ContainerState state = root_.open(id);
  const Record record = state.record();
  const Status status = state.status(record);
  if (status != Status::created) {
    throw Error(Errc::invalid_argument, cat("start container ", quoted(id), ": it is ",
                                            status_name(status), ", not created"));
  }
  const UniqueFd fifo = open_entry(state.dir(), ContainerState::kStartFifo, O_WRONLY | O_NONBLOCK);
  if (::write(fifo.get(), "s", 1) != 1) throw_errno(cat("start container ", quoted(id)));
  if (::unlinkat(state.dir().get(), ContainerState::kStartFifo, 0) != 0) {
    throw_errno(cat("start container ", quoted(id)));
  }
  const sandbox::Hooks hooks = state.config().hooks;
  if (hooks.poststart.empty()) return;
  try {
    run_hooks(hooks.poststart, "poststart",
              sandbox::hook_state(state_head(record), "running", record.pid));
  } catch (const Error& e) {
    warn_(e.what());
  }
}

Child Runtime::exec(const std::string& id, const sandbox::Process& process,
                    const ProcessOptions& options) {
  sandbox::validate_process(process);
  const ContainerState state = root_.open(id);
  const Record record = state.record();
  const Status status = state.status(record);
  if (status != Status::running && status != Status::created) {
    throw Error(Errc::invalid_argument, cat("exec in container ", quoted(id), ": it is ",
                                            status_name(status), ", not running"));
  }
  sandbox::RuntimeConfig config = state.config();
  config.process = process;
  const std::map<sandbox::Namespace, UniqueFd> namespaces = namespaces_of(record);
  std::map<sandbox::Namespace, int> joined;
  for (const auto& [kind, fd] : namespaces) joined[kind] = fd.get();
  const Cgroup cgroup = Cgroup::from_paths(record.cgroups);
  const UniqueFd console = console_socket(process, options);
  sandbox::Launched launched = sandbox::launch({.config = config,
                                                .mode = sandbox::InitMode::joined,
                                                .input = options.input,
                                                .output = options.output,
                                                .errors = options.errors,
                                                .console_socket = console.get(),
                                                .preserve_fds = options.preserve_fds,
                                                .keyring = options.keyring,
                                                .joined = joined,
                                                .cgroup = cgroup.empty() ? nullptr : &cgroup});
  try {
    follow(launched, [] {});
    write_pid_file(options.pid_file, launched.spawned.pid);
  } catch (const Error&) {
    sandbox::kill_spawned(launched.spawned);
    throw;
  }
  return {launched.spawned.pid, std::move(launched.spawned.pidfd)};
}

}  // namespace lade::runtime
