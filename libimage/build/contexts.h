#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>

#include "libimage/build/build_context.h"
#include "libimage/build/context_source.h"

namespace lade::build {

/// The Containerfile that `options` name, read: its text and the name that messages give it.
struct ContainerfileText {
  std::string name;
  std::string path;  ///< "" for a given text
  std::string text;
};

/// As Contexts::containerfile(), for a context that is a directory.
ContainerfileText read_containerfile(const BuildOptions& options);

/// One context of a build: fetched at the first use, its files listed as they are needed.
/// Thread-safe.
class ContextFiles {
 public:
  ContextFiles(ContextName name, const BuildOptions& options, const BuildServices& services,
               std::stop_token stop);

  [[nodiscard]] bool is_stdin() const noexcept { return name_.kind == ContextName::Kind::input; }
  /// Where it is on this machine; "" if there are no files.
  const FetchedContext& fetched();
  /// The files. `containerfile` is the path of the build's Containerfile, beside which an ignore
  /// file may be; "" where there is none.
  BuildContext& files(const std::string& containerfile, const std::string& ignore_file);
  void save_digests() noexcept;

 private:
  const FetchedContext& fetched_locked();

  ContextName name_;
  const BuildOptions& options_;
  const BuildServices& services_;
  std::stop_token stop_;
  std::mutex mutex_;
  std::optional<FetchedContext> fetched_;    // guarded by mutex_ until set
  DirFd digests_dir_;                        // guarded by mutex_ until set
  std::unique_ptr<ContentDigests> digests_;  // guarded by mutex_ until set
  std::unique_ptr<BuildContext> files_;      // guarded by mutex_ until set
};

/// All contexts of a build. Thread-safe.
class Contexts {
 public:
  /// `options` and `services` outlive it.
  Contexts(const BuildOptions& options, const BuildServices& services, std::stop_token stop);

  /// Finds and reads the Containerfile: the given text or file, a file of the context, or what a
  /// context turned out to be; with those behind it, and through cpp where it is called *.in.
  ContainerfileText containerfile();

  /// Where containerfile() found it on this machine; "" if it is no file of the user's.
  [[nodiscard]] const std::string& containerfile_path() const noexcept {
    return containerfile_path_;
  }

  /// A place and what is shown of it.
  struct Opened {
    BuildContext& files;
    std::string path;
  };
  /// The build context. Throws Error{invalid_argument} if there is none.
  Opened main();
  /// The named context that `--from=name` means, if it has files (is no image).
  std::optional<Opened> named(const std::string& name, const oci::Platform& platform);

  /// Keeps what was learnt of contents for the next build.
  void save_digests() noexcept;

 private:
  ContainerfileText first_containerfile();
  std::string read_named(const std::string& name);

  const BuildOptions& options_;
  const BuildServices& services_;
  std::stop_token stop_;
  std::unique_ptr<ContextFiles> main_;
  std::string containerfile_path_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<ContextFiles>> named_;  // guarded by mutex_
};

}  // namespace lade::build
