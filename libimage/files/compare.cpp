#include "libimage/files/compare.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade::files {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += cat(out.empty() ? "" : " ", quoted(word));
  return out;
}

std::string joined(const std::optional<std::vector<std::string>>& words) {
  return words ? cat("[", joined(*words), "]") : std::string();
}

using Fields = std::map<std::string, std::string>;

Fields fields_of(const oci::ImageConfig& config, const CompareOptions& options) {
  Fields out;
  const auto set = [&](std::string name, const std::string& text) {
    if (!text.empty()) out.emplace(std::move(name), text);
  };
  if (options.times == CompareOptions::Times::compare) set("created", config.created);
  set("author", config.author);
  set("platform", oci::to_string(config.platform()));
  for (std::size_t i = 0; i < config.history.size(); ++i) {
    std::string number = cat(i + 1);
    number.insert(0, 5 - std::min<std::size_t>(5, number.size()), '0');
    set(cat("history ", number), config.history[i].created_by);
  }
  if (!config.config) return out;
  const oci::ExecutionConfig& run = *config.config;
  set("user", run.user);
  set("workingDir", run.working_dir);
  set("stopSignal", run.stop_signal);
  set("entrypoint", joined(run.entrypoint));
  set("cmd", joined(run.cmd));
  set("shell", joined(run.shell));
  set("onBuild", joined(run.on_build));
  for (const std::string& variable : run.env) {
    const std::size_t equals = std::min(variable.find('='), variable.size());
    set(cat("env ", variable.substr(0, equals)),
        cat("=", variable.substr(std::min(equals + 1, variable.size()))));
  }
  for (const auto& [name, value] : run.labels) set(cat("label ", name), cat("=", value));
  for (const std::string& port : run.exposed_ports) set(cat("port ", port), "exposed");
  for (const std::string& volume : run.volumes) set(cat("volume ", volume), "declared");
  if (run.healthcheck) {
    set("healthcheck",
        cat(joined(run.healthcheck->test), " interval ", run.healthcheck->interval, " timeout ",
            run.healthcheck->timeout, " start ", run.healthcheck->start_period, " ",
            run.healthcheck->start_interval, " retries ", run.healthcheck->retries));
  }
  return out;
}

std::vector<TextChange> changes_between(const Fields& a, const Fields& b) {
  std::vector<TextChange> out;
  for (const auto& [name, text] : a) {
    const auto other = b.find(name);
    if (other == b.end()) {
      out.push_back({.change = Change::removed, .name = name, .before = text});
    } else if (other->second != text) {
      out.push_back({.name = name, .before = text, .after = other->second});
    }
  }
  for (const auto& [name, text] : b) {
    if (!a.contains(name)) out.push_back({.change = Change::added, .name = name, .after = text});
  }
  std::sort(out.begin(), out.end(),
            [](const TextChange& x, const TextChange& y) { return x.name < y.name; });
  return out;
}

/// Versions by package, as the database calls it; several of one name stand in one text.
Fields versions_of(const packages::Inventory& inventory) {
  Fields out;
  for (const packages::Package& package : inventory.packages) {
    std::string& versions =
        out[cat(package.type, " ",
                package.space.empty() || package.type == "deb" || package.type == "apk" ||
                        package.type == "rpm"
                    ? std::string()
                    : cat(package.space, "/"),
                package.name, package.architecture.empty() ? "" : cat(":", package.architecture))];
    versions += cat(versions.empty() ? "" : ", ", package.version.empty() ? "?" : package.version);
  }
  return out;
}

}  // namespace

std::string_view name_of(Change change) noexcept {
  constexpr std::array<std::string_view, 3> kNames = {"added", "removed", "changed"};
  return kNames.at(static_cast<std::size_t>(change));
}

std::size_t shared_layers(const oci::Manifest& a, const oci::Manifest& b) {
  std::size_t shared = 0;
  while (shared < std::min(a.layers.size(), b.layers.size()) &&
         a.layers[shared].digest == b.layers[shared].digest) {
    ++shared;
  }
  return shared;
}

std::vector<TextChange> config_changes(const oci::ImageConfig& a, const oci::ImageConfig& b,
                                       const CompareOptions& options) {
  return changes_between(fields_of(a, options), fields_of(b, options));
}

ComparedFiles::ComparedFiles(ImageFiles& a, ImageFiles& b, std::size_t shared,
                             const CompareOptions& options)
    : a_(a), b_(b), options_(options) {
  equal_ = shared == a.layers() && shared == b.layers();
  bool near = options.shared == CompareOptions::Shared::all;
  if (!near) {
    near = true;
    for (std::size_t i = 0; i < shared; ++i) near = near && a.is_near(i) && b.is_near(i);
  }
  if (!near) {
    a_owned_ = a.merged_from(shared);
    b_owned_ = b.merged_from(shared);
    whole_ = false;
    if (a_owned_->is_certain() && b_owned_->is_certain()) {
      a_files_ = a_owned_.get();
      b_files_ = b_owned_.get();
      return;
    }
    whole_ = true;  // where entries lie, only the shared layers tell
  }
  if (equal_) {
    a_owned_ = std::make_unique<MergedFiles>(a.pool());
    b_owned_ = std::make_unique<MergedFiles>(b.pool());
    a_files_ = a_owned_.get();
    b_files_ = b_owned_.get();
    return;
  }
  a_files_ = &a.merged();
  b_files_ = &b.merged();
}

bool ComparedFiles::same_content(RowRef left, RowRef right) const {
  const FileRow& a = a_files_->row(left);
  const FileRow& b = b_files_->row(right);
  if (a.size != b.size) return false;
  if (a.size == 0) return true;
  if (a.digest != 0 && b.digest != 0) {
    return a_files_->pool().digest(a.digest) == b_files_->pool().digest(b.digest);
  }
  const auto x = a_.open(left);
  const auto y = b_.open(right);
  std::vector<std::byte> first(kChunkBytes);
  std::vector<std::byte> second(kChunkBytes);
  for (;;) {
    const std::size_t got = read_full(*x, first);
    if (read_full(*y, second) != got) return false;
    if (got == 0) return true;
    if (!std::equal(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(got),
                    second.begin())) {
      return false;
    }
  }
}

std::vector<std::string> ComparedFiles::differences(PathId left, PathId right) const {
  const RowRef a_ref = a_files_->ref_at(left);
  const RowRef b_ref = b_files_->ref_at(right);
  const FileRow& a = a_files_->row(a_ref);
  const FileRow& b = b_files_->row(b_ref);
  std::vector<std::string> out;
  const bool implied = a_ref.layer == RowRef::kImplied || b_ref.layer == RowRef::kImplied;
  if (!whole_ && implied && a.kind == b.kind) return out;  // what it is like, shared layers tell
  if (a.kind != b.kind) return {"type"};
  if (a.mode != b.mode) out.emplace_back("mode");
  if (a.uid != b.uid || a.gid != b.gid) out.emplace_back("owner");
  if (a.kind == FileKind::regular) {
    if (a.size != b.size) out.emplace_back("size");
    if (!same_content(a_ref, b_ref)) out.emplace_back("content");
  } else if (a.kind == FileKind::symlink) {
    if (a_files_->pool().text(a.link) != b_files_->pool().text(b.link)) out.emplace_back("target");
  } else if (a.size != b.size) {
    out.emplace_back("device");
  }
  if ((a.xattrs != 0 || b.xattrs != 0) &&
      a_files_->pool().xattrs(a.xattrs) != b_files_->pool().xattrs(b.xattrs)) {
    out.emplace_back("xattrs");
  }
  if (options_.times == CompareOptions::Times::compare &&
      (a.mtime != b.mtime || a.mtime_nanoseconds != b.mtime_nanoseconds)) {
    out.emplace_back("mtime");
  }
  return out;
}

/// `path` and all below it, which only one side shows.
void ComparedFiles::add_one_sided(Change change, PathId path, std::vector<FileChange>& out) const {
  const bool added = change == Change::added;
  const MergedFiles& here = added ? *b_files_ : *a_files_;
  const MergedFiles& there = added ? *a_files_ : *b_files_;
  here.walk(path, [&](PathId below) {
    const RowRef ref = here.ref_at(below);
    FileChange found{.change = change, .path = here.pool().paths.path(below)};
    (added ? found.after : found.before) = ref;
    if (!there.is_gone(found.path)) {
      if (ref.layer == RowRef::kImplied) return true;
      // A directory's own entry comes with what is written in it.
      if (here.at(below)->kind == FileKind::directory) return true;
      found.change = Change::changed;
      found.what.emplace_back("shared layers");
    }
    out.push_back(std::move(found));
    return true;
  });
}

void ComparedFiles::compare(PathId left, PathId right, std::vector<FileChange>& out) const {
  std::vector<std::pair<PathId, PathId>> stack = {{left, right}};
  const PathTable& a_paths = a_files_->pool().paths;
  const PathTable& b_paths = b_files_->pool().paths;
  while (!stack.empty()) {
    const auto [a, b] = stack.back();
    stack.pop_back();
    std::vector<std::string> what = differences(a, b);
    const bool a_dir = a_files_->at(a)->kind == FileKind::directory;
    const bool b_dir = b_files_->at(b)->kind == FileKind::directory;
    if (!what.empty()) {
      out.push_back({.path = a_paths.path(a),
                     .before = a_files_->ref_at(a),
                     .after = b_files_->ref_at(b),
                     .what = std::move(what)});
    }
    const std::vector<PathId> a_below = a_dir ? a_files_->children(a) : std::vector<PathId>{};
    const std::vector<PathId> b_below = b_dir ? b_files_->children(b) : std::vector<PathId>{};
    auto x = a_below.begin();
    auto y = b_below.begin();
    while (x != a_below.end() || y != b_below.end()) {
      const int order = x == a_below.end()   ? 1
                        : y == b_below.end() ? -1
                                             : a_paths.name(*x).compare(b_paths.name(*y));
      if (order < 0) {
        add_one_sided(Change::removed, *x++, out);
      } else if (order > 0) {
        add_one_sided(Change::added, *y++, out);
      } else {
        stack.emplace_back(*x++, *y++);
      }
    }
  }
}

std::vector<FileChange> ComparedFiles::changes() const {
  std::vector<FileChange> out;
  if (equal_) return out;
  compare(kRoot, kRoot, out);
  const auto add_taken = [&](const MergedFiles& here, const MergedFiles& there, Change change) {
    for (const PathId path : here.taken_away()) {
      std::string text = here.pool().paths.path(path);
      if (there.pool().paths.find(text) != kNoPath &&
          there.ref_at(there.pool().paths.find(text)).exists()) {
        continue;  // compared already
      }
      if (there.is_gone(text)) continue;
      out.push_back({.change = change, .path = std::move(text), .what = {"shared layers"}});
    }
  };
  add_taken(*a_files_, *b_files_, Change::added);
  add_taken(*b_files_, *a_files_, Change::removed);
  std::sort(out.begin(), out.end(),
            [](const FileChange& x, const FileChange& y) { return x.path < y.path; });
  return out;
}

std::vector<TextChange> ComparedFiles::package_changes(std::vector<std::string>& remarks) const {
  if (equal_) return {};
  const packages::Inventory before = packages_of(a_, *a_files_);
  const packages::Inventory after = packages_of(b_, *b_files_);
  for (const auto* inventory : {&before, &after}) {
    for (const std::string& remark : inventory->remarks) remarks.push_back(remark);
  }
  if (!whole_) {
    for (const std::string path :
         {"var/lib/dpkg/status", "lib/apk/db/installed", "usr/lib/sysimage/rpm/rpmdb.sqlite",
          "var/lib/rpm/rpmdb.sqlite"}) {
      const bool left = a_files_->find(path, MergedFiles::Last::follow).path != kNoPath;
      const bool right = b_files_->find(path, MergedFiles::Last::follow).path != kNoPath;
      if (left != right) {
        remarks.push_back(cat("/", path,
                              ": one side has it in shared layers, which were not read; ",
                              "packages are not compared (--full reads them)"));
        return {};
      }
    }
  }
  return changes_between(versions_of(before), versions_of(after));
}

}  // namespace lade::files
