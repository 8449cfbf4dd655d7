/// A layout's directory as LayoutStore works on it. Internal to libimage/store.
#pragma once
#include <array>
#include <chrono>
#include <mutex>
#include <optional>
#include <string>

#include "libimage/store/layout_index.h"
#include "libimage/store/layout_locks.h"
#include "libimage/store/layout_store.h"
#include "libimage/store/made_dirs.h"
#include "libimage/store/pending_file.h"

namespace lade {

struct LayoutStore::State {
  std::string path;
  LayoutOptions options;
  DirFd dir;
  DirFd blobs;
  std::optional<MadeDirs> made;  ///< for a layout that this store made

  /// What tells one index.json from another.
  using IndexVersion = std::array<std::int64_t, 6>;
  std::mutex referrers_mutex;
  std::optional<ReferrersBySubject> referrers;  // guarded by referrers_mutex
  IndexVersion referrers_version = {};          // guarded by referrers_mutex: what they are from

  State(const std::string& directory, LayoutOptions given);

  [[nodiscard]] IndexVersion index_version() const;
  void open();
  void open_to_write();
  void create();
  void open_blobs();
  void sweep(std::chrono::seconds kept_for) const;
  void remove_unused() const;
  [[nodiscard]] std::optional<DirFd> algorithm_dir(const Digest& digest, bool make) const;
  [[nodiscard]] DirFd writable_dir(const Digest& digest);
  [[nodiscard]] oci::Index read_index() const;
  void write_index(const oci::Index& index) const;
  [[nodiscard]] OnlyWriter::Otherwise lock_otherwise() const {
    return options.remove_if_unused ? OnlyWriter::Otherwise::shared
                                    : OnlyWriter::Otherwise::nothing;
  }
  [[nodiscard]] PendingFile::Kind kind() const {
    return options.named_temporaries ? PendingFile::Kind::named : PendingFile::Kind::unnamed;
  }
};

}  // namespace lade
