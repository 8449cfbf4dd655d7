/// The text form of step results and of a snapshot's record. Damaged text gives nullopt: both are
/// caches, and a crash of the machine may leave anything.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "libimage/local/local_store.h"

namespace lade {

inline constexpr std::size_t kMaxStepNote = std::size_t{1} << 20U;
/// A note and the five short lines before it.
inline constexpr std::size_t kMaxStepRecord = kMaxStepNote + 4096;
inline constexpr std::size_t kMaxSnapshotRecord = 4096;

/// True for what may name a file in steps/.
bool is_step_key(std::string_view key) noexcept;

std::string write_step(const StepResult& result);
std::optional<StepResult> parse_step(std::string key, std::string_view text);

/// snapshots/<chain ID>/record.
struct SnapshotRecord {
  std::string boot = {};  ///< the kernel's boot ID when it was made
  DiffId diff_id;
  std::optional<ChainId> parent = {};
};

std::string write_snapshot_record(const SnapshotRecord& record);
std::optional<SnapshotRecord> parse_snapshot_record(std::string_view text);

}  // namespace lade
