/// Mirrors many images: what `lade sync`, and the program called as skopeo, do. First the images
/// are found, then they are brought to their places, many at once.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "libimage/copy/copy.h"
#include "libimage/name/image_name.h"
#include "libimage/name/tag_filter.h"
#include "libimage/store/store.h"

namespace lade::tools {

/// The images of one source.
struct SyncRepository {
  std::string name;            ///< as in messages: "docker://host/repo", "dir:PATH"
  std::string directory = {};  ///< dir: what the names of its images are relative to
  Session* session = nullptr;  ///< borrowed: to read them with
  std::vector<ImageName> images = {};
};

/// A source that could not be listed.
struct SyncListingFailure {
  std::string name;
  Error error;
};

struct SyncSet {
  std::vector<SyncRepository> repositories = {};
  std::vector<SyncListingFailure> failures = {};        ///< of a file that names several sources
  std::vector<std::string> warnings = {};               ///< of the file, a sentence each
  std::vector<std::unique_ptr<Session>> sessions = {};  ///< of registries with options of their own
};

struct SyncSource {
  std::string transport;  ///< "docker", "dir", "oci", "yaml"
  std::string name;       ///< HOST/REPOSITORY[:TAG|@DIGEST], DIR, DIR[:NAME], FILE
  TagFilter filter = {};  ///< of the tags that are listed; yaml: omit_digest_tags alone
};

/// Finds the images of `source`: of a docker repository every tag, of a directory tree every
/// directory with a manifest.json, of a layout every name, of a YAML file (SyncConfig) what it
/// says. Repositories are listed `jobs` at once. Throws Error{not_found} where there is nothing.
SyncSet find_sync_images(const SyncSource& source, Session& session, unsigned jobs,
                         const std::stop_token& stop);

/// Where images go.
struct SyncTarget {
  std::string transport;           ///< "docker", "dir", "oci"
  std::string name;                ///< HOST[/PATH], DIR, DIR
  bool scoped = false;             ///< under the whole name of the source, not its last part
  std::string append_suffix = {};  ///< behind the tag
};

/// The place of `image`, one of `repository`. Throws Error{invalid_argument} where its name is none
/// there, or would leave the target's directory.
ImageName sync_destination(const SyncTarget& target, const SyncRepository& repository,
                           const ImageName& image);

/// What became of one image.
struct SyncEvent {
  enum class Kind {
    would_copy,  ///< a dry run, and it is not there
    begins,      ///< its copy begins
    copied,
    present,  ///< it was there already
    failed,
  };
  Kind kind = Kind::copied;
  const ImageName& from;
  const ImageName& to;
  std::size_t position = 0;  ///< in its repository, from 0
  std::size_t count = 0;     ///< images of its repository
  std::optional<Digest> digest = {};
  std::uint64_t bytes_moved = 0;
  const Error* error = nullptr;  ///< for failed
};

struct SyncOptions {
  CopyOptions copy = {};
  unsigned jobs = 8;  ///< images at once
  enum class Mode { copy, dry_run };
  Mode mode = Mode::copy;
  enum class OnFailure { stop, go_on };
  OnFailure on_failure = OnFailure::stop;
  /// Directories that exist: brought up to date, or an error as skopeo has it.
  enum class ExistingDirectories { update, refuse };
  ExistingDirectories existing_directories = ExistingDirectories::update;
  /// Layers without compression stay as they are, or are compressed for registries and layouts.
  enum class PlainLayers { keep, compress };
  PlainLayers plain_layers = PlainLayers::keep;
  /// Throws Error for an image that must not be copied, which fails before anything is asked of its
  /// source. Called from any thread.
  std::function<void(const ImageName&)> check = {};
  /// Told of every image, one call at a time, from any thread.
  std::function<void(const SyncEvent&)> notify = {};
};

struct SyncResult {
  std::size_t copied = 0;  ///< or would be, in a dry run
  std::size_t present = 0;
  std::size_t failed = 0;
  std::uint64_t bytes_moved = 0;
  /// "DIGEST TRANSPORT:NAME" of each image that is at its place now, in the order of the set.
  std::vector<std::string> digest_lines = {};
};

/// Brings the images of `set` to `target`. An image whose digest is at its place already costs one
/// question to each side. Throws the first failure (the rest is stopped) unless the options say to
/// go on; Error{invalid_argument}, before anything is done, where two images have the same place.
/// `partial`, if given, gets what was done before a failure too.
SyncResult sync_images(const SyncSet& set, const SyncTarget& target, Session& session,
                       const SyncOptions& options, ProgressObserver& observer,
                       const std::stop_token& stop, SyncResult* partial = nullptr);

}  // namespace lade::tools
