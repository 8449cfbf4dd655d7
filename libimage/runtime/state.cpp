#include "libimage/runtime/state.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/atomic_file.h"
#include "libimage/io/path.h"
#include "libimage/oci/json_reader.h"
#include "libimage/oci/json_writer.h"
#include "libimage/runtime/config_json.h"

namespace lade::runtime {
namespace {

namespace json = oci::json;

constexpr std::size_t kMaxId = 255;
constexpr const char* kRecordFile = "state.json";
constexpr const char* kConfigFile = "config.json";

void write_whole(const DirFd& dir, const char* name, std::string_view text) {
  AtomicFile file(dir, name, 0600);
  file.write(bytes_of(text));
  file.commit();
}

void add_common(json::ObjectWriter& out, const Record& record) {
  out.string("ociVersion", record.oci_version);
  out.string("id", record.id);
  out.string("bundle", record.bundle);
  if (!record.annotations.empty()) out.map("annotations", record.annotations);
}

}  // namespace

std::string_view status_name(Status status) noexcept {
  constexpr std::array<std::string_view, 5> kNames = {"creating", "created", "running", "paused",
                                                      "stopped"};
  return kNames.at(static_cast<std::size_t>(status));
}

std::string serialise(const Record& record) {
  json::ObjectWriter out;
  add_common(out, record);
  out.string("rootfs", record.rootfs);
  out.string("created", record.created);
  out.raw("pid", cat(record.pid));
  out.raw("pidStart", cat(record.pid_start));
  out.map("cgroups", record.cgroups);
  return out.finish();
}

Record parse_record(std::string_view text) {
  return with_context([] { return "state.json"; },
                      [&] {
                        json::Value value = json::parse(text, kMaxConfigBytes);
                        json::ObjectReader in(value, "");
                        Record record;
                        record.oci_version = in.string("ociVersion");
                        record.id = in.string("id");
                        record.bundle = in.string("bundle");
                        record.annotations = in.string_map("annotations");
                        record.rootfs = in.string("rootfs");
                        record.created = in.string("created");
                        const std::int64_t pid = in.integer("pid");
                        const std::int64_t start = in.integer("pidStart");
                        if (pid < 0 || pid > INT32_MAX || start < 0) json::fail("pid", "is none");
                        record.pid = static_cast<pid_t>(pid);
                        record.pid_start = static_cast<std::uint64_t>(start);
                        record.cgroups = in.string_map("cgroups");
                        check_id(record.id);
                        return record;
                      });
}

std::string state_document(const Record& record, Status status) {
  json::ObjectWriter out;
  out.string("ociVersion", record.oci_version);
  out.string("id", record.id);
  out.raw("pid", cat(status == Status::stopped ? 0 : record.pid));
  out.string("status", status_name(status));
  out.string("bundle", record.bundle);
  out.string("rootfs", record.rootfs);
  out.string("created", record.created);
  if (!record.annotations.empty()) out.map("annotations", record.annotations);
  out.string("owner", "");
  return out.finish();
}

std::string state_head(const Record& record) {
  json::ObjectWriter out;
  add_common(out, record);
  std::string text = out.finish();
  text.pop_back();
  return text;
}

void check_id(const std::string& id) {
  constexpr std::string_view kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.";
  if (id.empty() || id.size() > kMaxId || id == "." || id == ".." ||
      id.find_first_not_of(kAllowed) != std::string::npos) {
    throw Error(Errc::invalid_argument, cat("container id ", quoted(id), " is invalid"));
  }
}

std::optional<std::uint64_t> start_of(pid_t pid) {
  try {
    const std::string text = read_file(cat("/proc/", pid, "/stat"), 4096);
    const std::size_t name_end = text.rfind(')');  // the name may hold anything
    if (name_end == std::string::npos) return std::nullopt;
    const std::vector<std::string_view> fields =
        split(trimmed(std::string_view(text).substr(name_end + 1)), ' ');
    if (fields.size() < 20 || fields[0] == "Z" || fields[0] == "X") return std::nullopt;
    return parse_decimal(fields[19]);
  } catch (const Error&) {
    return std::nullopt;
  }
}

Record ContainerState::record() const {
  return parse_record(read_file_at(dir_, kRecordFile, kMaxConfigBytes));
}

void ContainerState::save(const Record& record) const {
  write_whole(dir_, kRecordFile, serialise(record));
}

sandbox::RuntimeConfig ContainerState::config() const {
  return parse_config(read_file_at(dir_, kConfigFile, kMaxConfigBytes));
}

void ContainerState::save_config(std::string_view text) const {
  write_whole(dir_, kConfigFile, text);
}

Status ContainerState::status(const Record& record) const {
  const std::optional<std::uint64_t> start = record.pid > 0 ? start_of(record.pid) : std::nullopt;
  if (!start || *start != record.pid_start) return Status::stopped;
  if (stat_entry(dir_, kStartFifo)) return Status::created;
  const sandbox::Cgroup cgroup = sandbox::Cgroup::from_paths(record.cgroups);
  return cgroup.state() == sandbox::Cgroup::State::frozen ? Status::paused : Status::running;
}

StateRoot::StateRoot(std::string path) : path_(std::move(path)), dir_(create_dir(path_, 0700)) {}

ContainerState StateRoot::create(const std::string& id) {
  check_id(id);
  if (::mkdirat(dir_.get(), id.c_str(), 0700) != 0) {
    if (errno != EEXIST) throw_errno(cat("create ", quoted(id)));
    if (!sweep(id) || ::mkdirat(dir_.get(), id.c_str(), 0700) != 0) {
      throw Error(Errc::already_exists, cat("container ", quoted(id), " already exists"));
    }
  }
  DirFd dir(open_entry(dir_, id, O_RDONLY | O_DIRECTORY));
  if (::flock(dir.get(), LOCK_EX | LOCK_NB) != 0) throw_errno(cat("lock ", quoted(id)));
  return {cat(path_, "/", id), std::move(dir)};
}

ContainerState StateRoot::open(const std::string& id) const {
  check_id(id);
  if (!stat_entry(dir_, id)) {
    throw Error(Errc::not_found, cat("container ", quoted(id), " does not exist"));
  }
  return {cat(path_, "/", id), DirFd(open_entry(dir_, id, O_RDONLY | O_DIRECTORY))};
}

std::vector<std::string> StateRoot::ids() const {
  std::vector<std::string> found;
  for (const std::string& name : list_names(DirFd(open_entry(dir_, ".", O_RDONLY | O_DIRECTORY)))) {
    const auto entry = stat_entry(dir_, name);
    if (entry && S_ISDIR(entry->st_mode)) found.push_back(name);
  }
  std::sort(found.begin(), found.end());
  return found;
}

void StateRoot::remove(const std::string& id) const { remove_tree(dir_, id); }

bool StateRoot::sweep(const std::string& id) const {
  const DirFd dir(open_entry(dir_, id, O_RDONLY | O_DIRECTORY));
  if (::flock(dir.get(), LOCK_EX | LOCK_NB) != 0) return false;  // `create` is at work
  const auto has_record = stat_entry(dir, kRecordFile);
  if (has_record) {
    const ContainerState state(cat(path_, "/", id), duplicate(dir));
    const Record record = state.record();
    const bool unfinished = stat_entry(dir, "creating").has_value();
    if (!unfinished) return false;
    if (start_of(record.pid) == std::optional(record.pid_start)) (void)::kill(record.pid, SIGKILL);
    const sandbox::Cgroup cgroup = sandbox::Cgroup::from_paths(record.cgroups);
    if (!cgroup.empty()) {
      cgroup.signal_all(SIGKILL);
      (void)cgroup.remove();
    }
  }
  remove_tree(dir_, id);
  return true;
}

}  // namespace lade::runtime
