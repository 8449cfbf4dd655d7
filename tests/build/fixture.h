/// What the tests of whole builds share: a store, a context, the tree of what was built.
#pragma once
#include <cstdlib>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/build/build.h"
#include "libimage/container/root_fs.h"
#include "libimage/io/atomic_file.h"
#include "libimage/io/path.h"

namespace lade::build {

inline std::string temp_root() {
  const char* given = std::getenv("TMPDIR");
  return given != nullptr ? given : "/tmp";
}

/// Remembers events.
class RecordingObserver final : public ProgressObserver {
 public:
  void notify(const ProgressEvent& event) noexcept override {
    const std::scoped_lock lock(mutex_);
    events_.push_back(event);
  }
  std::string output() const { return notes(ProgressEvent::Kind::output); }
  std::string explanations() const { return notes(ProgressEvent::Kind::summary, "\n"); }
  std::string warnings() const { return notes(ProgressEvent::Kind::warning); }

 private:
  std::string notes(ProgressEvent::Kind kind, std::string_view end = {}) const {
    const std::scoped_lock lock(mutex_);
    std::string text;
    for (const ProgressEvent& event : events_) {
      if (event.kind == kind) text += cat(event.note, end);
    }
    return text;
  }
  mutable std::mutex mutex_;
  std::vector<ProgressEvent> events_;  // guarded by mutex_
};

/// Some time in the past that files are given.
inline constexpr Timestamp kThen{.seconds = 1'600'000'000, .nanoseconds = 500'000'000};

class BuildTest : public testing::Test {
 protected:
  BuildTest() { create_dir(context_path()); }

  [[nodiscard]] std::string context_path() const { return room_.path() + "/context"; }

  /// A file of the context with a time in the past.
  void file(const std::string& path, const std::string& text, mode_t mode = 0644) {
    const std::string full = cat(context_path(), "/", path);
    const DirFd dir = create_dir(full.substr(0, full.rfind('/')));
    AtomicFile out(dir, full.substr(full.rfind('/') + 1), mode);
    out.write(bytes_of(text));
    out.commit();
    touch(path);
  }
  void touch(const std::string& path, const Timestamp& time = kThen) {
    const timespec when{time.seconds, static_cast<long>(time.nanoseconds)};
    const timespec times[] = {when, when};
    ASSERT_EQ(
        ::utimensat(AT_FDCWD, cat(context_path(), "/", path).c_str(), times, AT_SYMLINK_NOFOLLOW),
        0);
  }

  /// What was built, with the first platform's image at hand.
  struct BuildResult : build::BuildResult {
    explicit BuildResult(build::BuildResult result)
        : build::BuildResult(std::move(result)),
          manifest(images.front().manifest),
          config(images.front().config) {}
    oci::Document manifest;
    oci::ImageConfig config;
  };

  /// Builds `text` under the name "test".
  BuildResult build(const std::string& text,
                    const std::function<void(BuildOptions&)>& change = {}) {
    BuildOptions options{
        .context = context_path(), .containerfile_text = text, .names = {"test"}, .clock = [] {
          return Timestamp{1'700'000'000, 0};
        }};
    if (change) change(options);
    return BuildResult(lade::build::build(
        options,
        {.store = store_,
         .runner = *runner_,
         .resolve = [&](const std::string& name, const oci::Platform&) { return resolve(name); },
         .observer = observer_,
         .fetch = fetch_},
        {}));
  }

  Error error_of(const std::string& text, const std::function<void(BuildOptions&)>& change = {}) {
    try {
      build(text, change);
    } catch (const Error& e) {
      return e;
    }
    return {Errc::internal, "no error"};
  }

  /// The tree of an image: path to "type mode uid:gid[ content or link target]".
  std::map<std::string, std::string> tree(const BuildResult& result) {
    RootFs root = root_of(result);
    std::map<std::string, std::string> out;
    walk(root, "", out);
    return out;
  }
  RootFs root_of(const BuildResult& result) {
    RootFs root(store_);
    const auto& manifest = std::get<oci::Manifest>(result.manifest.parsed);
    for (std::size_t i = 0; i < manifest.layers.size(); ++i)
      root.push({manifest.layers[i], result.config.diff_ids[i]});
    return root;
  }
  static std::vector<std::string> history(const BuildResult& result) {
    std::vector<std::string> out;
    for (const oci::HistoryEntry& entry : result.config.history)
      out.push_back(cat(entry.created_by, entry.empty_layer ? " (no layer)" : ""));
    return out;
  }

  /// The lines of a stage that can run a shell; needs the context to hold `busybox`.
  std::string shell_base() {
    file("busybox", read_file("/bin/busybox", std::uint64_t{16} << 20U), 0755);
    return "FROM scratch AS base\nCOPY busybox /bin/busybox\nCOPY busybox /bin/sh\n";
  }

  TempDir room_{temp_root(), "lade-build-"};
  LocalStore store_{room_.path() + "/store"};
  std::unique_ptr<sandbox::StepRunner> runner_ = sandbox::builtin_runner();
  RecordingObserver observer_;
  FetchUrl fetch_;

 private:
  ResolvedBase resolve(const std::string& name) {
    const auto found = store_.images().resolve(Tag{full_image_name(name)});
    if (!found) throw Error(Errc::not_found, cat("no image ", lade::quoted(name)));
    return {.reader = std::shared_ptr<Reader>(&store_.images(), [](Reader*) {}), .root = *found};
  }
  void walk(RootFs& root, const std::string& directory, std::map<std::string, std::string>& out) {
    for (const std::string& name : root.list(directory)) {
      const std::string path = directory.empty() ? name : cat(directory, "/", name);
      const Attributes found = root.lookup(path).value();
      std::string mode;
      for (std::uint32_t rest = found.mode; rest != 0; rest /= 8)
        mode.insert(mode.begin(), static_cast<char>('0' + rest % 8));
      std::string text = cat(mode, " ", found.uid, ":", found.gid);
      if (found.type == FileType::directory) {
        out[path] = cat("d ", text);
        walk(root, path, out);
      } else if (found.type == FileType::symlink) {
        out[path] = cat("-> ", found.link_target);
      } else if (found.type == FileType::regular) {
        out[path] = cat("f ", text, " ", root.read_small(path, 1U << 24U).value().substr(0, 60));
      } else {
        out[path] = cat("other ", text);
      }
    }
  }
};

}  // namespace lade::build
