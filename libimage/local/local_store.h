/// The local store: an OCI image layout with unpacked layers, step results and temporary room
/// beside it (docs/design/0008-local-store.md). Many processes use one store at once.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libimage/base/timestamp.h"
#include "libimage/base/unique_fd.h"
#include "libimage/digest/digest.h"
#include "libimage/io/file_lock.h"
#include "libimage/local/step_lock.h"
#include "libimage/store/layout_store.h"

namespace lade {

/// What the tree of a snapshot holds.
enum class SnapshotForm {
  layer,  ///< one layer in overlayfs form (an upper directory): whiteouts are character devices 0:0
  whole,  ///< the merged tree of the whole stack, plain files
};

/// An unpacked layer: snapshots/<chain ID>/ holds `fs` and a record of its parent. Present only
/// when complete.
struct UnpackedLayer {
  ChainId chain;
  std::string fs_path;  ///< absolute path of the tree
};

/// What a build step made, kept under its cache key.
struct StepResult {
  std::string key;  ///< lower-case hex, 16 to 128 digits; the file's name in steps/
  std::optional<oci::Descriptor> layer =
      {};  ///< absent: the step made no layer; media type, digest and size are kept
  std::optional<DiffId> diff_id = {};  ///< set exactly if `layer` is
  std::uint64_t uncompressed_bytes = 0;
  std::optional<Timestamp> stored = {};  ///< when; set by LocalStore::step()
  std::string note =
      {};  ///< free text of the builder, e.g. the shallow key's list of candidates; at most 1 MiB
};

/// A directory that outlives the steps that mount it (RUN --mount=type=cache).
struct CacheMountOptions {
  enum class Sharing {
    shared,     ///< several steps at once
    exclusive,  ///< another directory where somebody uses the first
    locked,     ///< waits until nobody uses it
  };
  std::string id;  ///< equal ids are one directory
  Sharing sharing = Sharing::shared;
  // What a new one is:
  std::uint32_t mode = 0755;
  std::optional<std::pair<std::uint32_t, std::uint32_t>> owner = {};  ///< uid and gid
  std::function<void(const DirFd& tree)> seed = {};                   ///< fills it
};

struct CacheEntry;
struct Reached;

/// The note of a step record that only says that a step of that definition was stored once.
inline constexpr std::string_view kSeenNote = "seen";

struct PruneReport {
  std::uint64_t blobs = 0, snapshots = 0, steps = 0, cache_mounts = 0, bytes = 0;
};

/// Thread-safe. Between processes: every LocalStore holds a shared lock on the store while it
/// lives, so that only prune() has to wait for anybody.
class LocalStore {
 public:
  /// Opens `directory`, creating it (mode 0700) with all its parts where missing; sweeps the
  /// leftovers of dead processes. A directory that holds something else is
  /// refused. Waits while another process prunes.
  explicit LocalStore(const std::string& directory);
  ~LocalStore();

  /// Contents and names. Names are full references ("docker.io/library/debian:12",
  /// "localhost/app:latest").
  [[nodiscard]] LayoutStore& images();

  /// nullopt if that stack of layers is not unpacked here in that form. Snapshots of an earlier
  /// boot of the machine count as absent: they are not synced to disk, so that a crash may have
  /// torn them.
  std::optional<UnpackedLayer> unpacked(const ChainId& chain,
                                        SnapshotForm form = SnapshotForm::layer);
  /// Room under tmp/ (same file system) to unpack or run into, held by this process's lock.
  class Workspace;
  std::unique_ptr<Workspace> workspace();
  /// Renames the workspace to snapshots/<chain ID of `diff_id` on `parent`>, or drops it if
  /// somebody was first.
  UnpackedLayer publish(std::unique_ptr<Workspace> workspace, const std::optional<ChainId>& parent,
                        const DiffId& diff_id, SnapshotForm form = SnapshotForm::layer);

  /// nullopt if nothing is kept under `key`, if the record is damaged, or if its layer's blob is
  /// gone.
  std::optional<StepResult> step(const std::string& key);
  /// Stores the result; the last writer of a key wins, and readers see one or the other whole.
  void put_step(const StepResult& result);
  /// Absent is no error.
  void remove_step(const std::string& key);

  /// `from` gives `blob`, which need not be here until somebody needs its bytes (a layer from a
  /// build cache, of a base image): then require() fetches it. Thread-safe, like the others.
  void promise(const oci::Descriptor& blob, std::shared_ptr<Reader> from);
  /// The reader that promised `blob`, to read from or to mount from; nullptr if none did.
  std::shared_ptr<Reader> promised(const Digest& blob);
  /// Makes sure that a promised blob is in images(): whoever opens a layer calls it first. A blob
  /// that nobody promised is left as it is. Throws what reading it throws.
  void require(const oci::Descriptor& blob);
  /// Tells that a promised blob is not what it was promised to be.
  void break_promise(const Digest& blob);
  /// True if require() failed for a promised blob, or its promise was broken.
  bool promise_is_broken(const Digest& blob);
  /// images(), and promised blobs read from where they are, which does not bring them here.
  [[nodiscard]] Reader& contents();

  /// The right to execute the step of that key; nullopt while somebody else has it (another
  /// process, or another build of this one). Whoever gets it looks again whether the result is
  /// there now.
  std::optional<StepLock> try_lock_step(const std::string& key);

  /// In use while it lives.
  struct CacheMount {
    std::string path;  ///< absolute
    FileLock lock;
  };
  /// The cache of that id, made where there is none; kept until prune(true).
  CacheMount cache_mount(const CacheMountOptions& options, const std::stop_token& stop);

  /// Keeps what a name reaches, and what a step result reaches unless `all_steps`, which removes
  /// these too; removes the rest of blobs, snapshots and steps, and the digests of build contexts
  /// that were not used for 30 days (all of them with `all_steps`, and the cache mounts).
  /// Error{unavailable} while another process (or another LocalStore of this one) has the store
  /// open.
  PruneReport prune(bool all_steps);
  /// Removes these entries of the cache (cache_entries()) and what only they reached. Images stay,
  /// also those without a name. Throws as prune().
  PruneReport prune_cache(const std::vector<CacheEntry>& doomed);

  /// Absolute, without links.
  [[nodiscard]] const std::string& path() const noexcept;
  /// A directory of this process under tmp/, made at the first use and removed with all it holds
  /// when the store is closed (or, after a kill, by whoever opens it next).
  [[nodiscard]] const DirFd& temp_dir() const;
  [[nodiscard]] std::string temp_path() const;

 private:
  void sweep(const Reached& reached, PruneReport& report, const std::set<std::string>& doomed = {});
  std::string made_cache(const DirFd& mounts, const std::string& name,
                         const CacheMountOptions& options);
  struct State;
  std::unique_ptr<State> state_;
};

/// Room for one tree in the making: `fs` (mode 0755) and `work` directories on the store's file
/// system. Removed on destruction unless published.
class LocalStore::Workspace {
 public:
  ~Workspace();
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  [[nodiscard]] const std::string& path() const noexcept { return path_; }  ///< absolute
  [[nodiscard]] std::string fs_path() const { return path_ + "/fs"; }
  [[nodiscard]] std::string work_path() const { return path_ + "/work"; }

 private:
  friend class LocalStore;
  struct Session;
  explicit Workspace(std::shared_ptr<Session> session);
  std::shared_ptr<Session> session_;
  std::string name_;  // in the session's directory; empty once published
  std::string path_;
};

/// $LADE_STORE is the tool's business; this is the default: $XDG_DATA_HOME/lade,
/// ~/.local/share/lade, /var/lib/lade for root. Arguments are the environment's values, "" if
/// unset.
std::string default_store_path(unsigned uid, const std::string& xdg_data_home,
                               const std::string& home);

}  // namespace lade
