#include "libimage/local/local_store.h"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/atomic_file.h"
#include "libimage/io/path.h"
#include "libimage/local/reached.h"
#include "libimage/local/store_state.h"

namespace lade {
namespace {

constexpr std::string_view kWholeSuffix = ".whole";
constexpr const char* kRecord = "record";
constexpr mode_t kPrivate = 0700;

DirFd open_store_dir(const std::string& path) {
  DirFd dir(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir && errno == ENOENT) dir = create_dir(path, kPrivate);
  if (!dir) throw_errno(cat("open store ", quoted(path)));
  return dir;
}

/// A part of the store, made where missing.
DirFd open_part(const DirFd& dir, const char* name, int flags) {
  for (int attempt = 0;; ++attempt) {
    DirFd part(::openat(dir.get(), name, flags | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (part) return part;
    if (errno != ENOENT || attempt == 1) throw_errno(cat("open store: directory ", quoted(name)));
    if (::mkdirat(dir.get(), name, kPrivate) != 0 && errno != EEXIST) {
      throw_errno(cat("create store: directory ", quoted(name)));
    }
  }
}

void check_step_key(const std::string& key) {
  if (is_step_key(key)) return;
  throw Error(Errc::invalid_argument,
              cat("step key ", quoted(key), " is not 16 to 128 hex digits"));
}

std::string boot_id() {
  try {
    return std::string(trimmed(read_file("/proc/sys/kernel/random/boot_id", 128)));
  } catch (const Error&) {
    return "unknown";  // no /proc: snapshots are then trusted across boots
  }
}

}  // namespace

std::string snapshot_name(const ChainId& chain, SnapshotForm form) {
  std::string name(chain.value.encoded());
  if (form == SnapshotForm::whole) name += kWholeSuffix;
  return name;
}

std::optional<StepResult> read_step(const DirFd& steps, const std::string& key) {
  try {
    std::optional<StepResult> result = parse_step(key, read_file_at(steps, key, kMaxStepRecord));
    struct stat status {};
    if (result && ::fstatat(steps.get(), key.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0)
      result->stored =
          Timestamp{status.st_mtim.tv_sec, static_cast<std::uint32_t>(status.st_mtim.tv_nsec)};
    return result;
  } catch (const Error& e) {
    const bool damaged = e.code() == Errc::not_found || e.code() == Errc::invalid_content ||
                         e.code() == Errc::limit_exceeded;
    if (damaged) return std::nullopt;
    throw e.in("read step result");
  }
}

LocalStore::State::State(const std::string& directory)
    : dir(open_store_dir(directory)),
      images(directory, LayoutOptions{.create = true}),
      in_use(dir, kLocalStoreMark, FileLock::Mode::shared) {
  const auto real = real_path(directory);
  if (!real) throw_errno(cat("open store ", quoted(directory)));
  path = *real;
  snapshots = open_part(dir, "snapshots", O_PATH);
  steps = open_part(dir, "steps", O_RDONLY);
  tmp = open_part(dir, "tmp", O_RDONLY);
  boot = boot_id();
  sweep_sessions(tmp);
}

std::shared_ptr<LocalStore::Workspace::Session> LocalStore::State::session() {
  const std::lock_guard lock(mutex_);
  if (!session_) session_ = std::make_shared<Workspace::Session>(tmp, cat(path, "/tmp"));
  return session_;
}

std::optional<SnapshotRecord> LocalStore::State::record_of(const std::string& snapshot) const {
  const UniqueFd entry(
      ::openat(snapshots.get(), snapshot.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!entry) {
    if (errno == ENOENT) return std::nullopt;
    throw_errno(cat("open snapshot ", quoted(snapshot)));
  }
  const UniqueFd file(::openat(entry.get(), kRecord, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file) return std::nullopt;
  std::string text(kMaxSnapshotRecord, '\0');
  const ssize_t got = ::read(file.get(), text.data(), text.size());
  if (got < 0) throw_errno(cat("read record of snapshot ", quoted(snapshot)));
  text.resize(static_cast<std::size_t>(got));
  auto record = parse_snapshot_record(text);
  if (record && record->boot != boot) return std::nullopt;
  return record;
}

LocalStore::LocalStore(const std::string& directory) : state_(std::make_unique<State>(directory)) {}
LocalStore::~LocalStore() = default;

LayoutStore& LocalStore::images() { return state_->images; }
const std::string& LocalStore::path() const noexcept { return state_->path; }
const DirFd& LocalStore::temp_dir() const { return state_->session()->dir; }
std::string LocalStore::temp_path() const { return state_->session()->path; }

std::optional<UnpackedLayer> LocalStore::unpacked(const ChainId& chain, SnapshotForm form) {
  const std::string name = snapshot_name(chain, form);
  if (!state_->record_of(name)) return std::nullopt;
  return UnpackedLayer{chain, cat(state_->path, "/snapshots/", name, "/fs")};
}

std::unique_ptr<LocalStore::Workspace> LocalStore::workspace() {
  return std::unique_ptr<Workspace>(new Workspace(state_->session()));
}

LocalStore::Workspace::Workspace(std::shared_ptr<Session> session)
    : session_(std::move(session)), name_(cat("w", session_->next_workspace++)) {
  path_ = cat(session_->path, "/", name_);
  const int base = session_->dir.get();
  const bool made =
      ::mkdirat(base, name_.c_str(), kPrivate) == 0 &&
      ::mkdirat(base, cat(name_, "/fs").c_str(), kPrivate) == 0 &&
      ::mkdirat(base, cat(name_, "/work").c_str(), kPrivate) == 0 &&
      ::fchmodat(base, cat(name_, "/fs").c_str(), 0755, 0) == 0;  // whatever the umask
  if (!made) throw_errno("create workspace of the store");
}

LocalStore::Workspace::~Workspace() {
  if (name_.empty()) return;
  try {
    remove_tree(session_->dir, name_);
  } catch (const std::exception&) {  // the session's end tries again, then the next sweep
  }
}

UnpackedLayer LocalStore::publish(std::unique_ptr<Workspace> workspace,
                                  const std::optional<ChainId>& parent, const DiffId& diff_id,
                                  SnapshotForm form) {
  constexpr int kAttempts = 8;  // against others that publish the same over a stale one
  const ChainId chain = chain_id(parent, diff_id);
  const std::string target = snapshot_name(chain, form);
  const UnpackedLayer result{chain, cat(state_->path, "/snapshots/", target, "/fs")};
  const DirFd& base = workspace->session_->dir;
  {
    const DirFd dir(open_entry(base, workspace->name_, O_RDONLY | O_DIRECTORY));
    remove_tree(dir, "work");
    const UniqueFd file = open_entry(dir, kRecord, O_WRONLY | O_CREAT | O_EXCL, 0600);
    FdSink(file.get(), "snapshot record")
        .write(bytes_of(
            write_snapshot_record({.boot = state_->boot, .diff_id = diff_id, .parent = parent})));
  }
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (::renameat(base.get(), workspace->name_.c_str(), state_->snapshots.get(), target.c_str()) ==
        0) {
      workspace->name_.clear();
      return result;
    }
    if (errno != EEXIST && errno != ENOTEMPTY) throw_errno(cat("publish snapshot ", target));
    if (state_->record_of(target)) return result;
    const std::string stale = cat("stale-", random_name(8));
    if (::renameat(state_->snapshots.get(), target.c_str(), base.get(), stale.c_str()) == 0) {
      remove_tree(base, stale);
    } else if (errno != ENOENT) {
      throw_errno(cat("replace stale snapshot ", target));
    }
  }
  throw Error(Errc::unavailable, cat("publish snapshot ", target, ": others keep replacing it"));
}

std::optional<StepResult> LocalStore::step(const std::string& key) {
  check_step_key(key);
  auto result = read_step(state_->steps, key);
  if (result && result->layer && !state_->images.contains(*result->layer)) return std::nullopt;
  return result;
}

void LocalStore::remove_step(const std::string& key) {
  check_step_key(key);
  if (::unlinkat(state_->steps.get(), key.c_str(), 0) != 0 && errno != ENOENT)
    throw_errno("remove step result");
}

void LocalStore::put_step(const StepResult& result) {
  check_step_key(result.key);
  if (result.layer.has_value() != result.diff_id.has_value()) {
    throw Error(Errc::invalid_argument, "step result: layer and diff ID go together");
  }
  if (result.note.size() > kMaxStepNote) {
    throw Error(Errc::limit_exceeded, cat("step result: a note of ", result.note.size(),
                                          " bytes is longer than ", kMaxStepNote));
  }
  AtomicFile file(state_->steps, result.key, 0600);
  file.write(bytes_of(write_step(result)));
  file.commit();
}

void LocalStore::promise(const oci::Descriptor& blob, std::shared_ptr<Reader> from) {
  state_->promised.add(blob, std::move(from));
}

std::shared_ptr<Reader> LocalStore::promised(const Digest& blob) {
  return state_->promised.reader_of(blob);
}

void LocalStore::require(const oci::Descriptor& blob) {
  state_->promised.fetch(blob, state_->images);
}

void LocalStore::break_promise(const Digest& blob) { state_->promised.break_promise(blob); }

bool LocalStore::promise_is_broken(const Digest& blob) { return state_->promised.is_broken(blob); }

Reader& LocalStore::contents() { return state_->contents; }

std::string default_store_path(unsigned uid, const std::string& xdg_data_home,
                               const std::string& home) {
  if (uid == 0) return "/var/lib/lade";
  // The XDG Base Directory Specification: a relative path is to be ignored.
  if (xdg_data_home.starts_with('/')) return cat(xdg_data_home, "/lade");
  if (home.empty()) {
    throw Error(Errc::invalid_argument,
                "find the store: neither HOME nor XDG_DATA_HOME is set; name one by --store");
  }
  return cat(home, "/.local/share/lade");
}

}  // namespace lade
