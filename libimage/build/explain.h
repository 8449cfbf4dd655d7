/// Why a step hit the cache or what exactly changed: the inputs of each step's last execution are
/// kept in the store, for each Containerfile, and compared (docs/design/0016-build-solver.md).
#pragma once
#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "libimage/build/build.h"
#include "libimage/build/step_key.h"
#include "libimage/local/local_store.h"

namespace lade::build {

/// A step as it was when it was built last.
struct StepRecord {
  std::string key = {};
  std::string text = {};  ///< the instruction as written
  std::vector<StepInput> inputs = {};
};

/// The place of a step: its stage (and platform, where there are several) and its number in it.
using StepPlace = std::pair<std::string, std::size_t>;

/// What differs between two executions of a step.
struct StepChange {
  enum class Kind { added, removed, changed };
  Kind kind = Kind::changed;
  std::string input = {};
  std::string before = {};
  std::string after = {};
  bool operator==(const StepChange&) const = default;
};

/// The changes from `before` to `after`, in the order of `after`, what is gone last. Where the base
/// image changed, that the tree below did as well is left out: it says nothing more.
std::vector<StepChange> changes(const std::vector<StepInput>& before,
                                const std::vector<StepInput>& after);

struct Explanation {
  std::string step = {};    ///< "[base 2/5] RUN make"
  std::string result = {};  ///< "cached" or "executed"
  std::string reason = {};  ///< in a few words
  std::vector<StepChange> changes = {};
};

/// Lines for people: the step and its reason, a line for each change (of many the first ones).
std::string to_text(const Explanation& explanation);
/// One JSON object without line ends: step, result, reason, changes[] of input, change, before,
/// after.
std::string to_json(const Explanation& explanation);

/// The records of one Containerfile. Thread-safe.
class StepRecords {
 public:
  /// `identity` says which Containerfile in which context for which target; the records are read.
  StepRecords(LocalStore& store, std::string_view identity);

  /// The step that was at `place` if it has the same text, else one of its stage with that text,
  /// else whatever was at `place`.
  std::optional<StepRecord> last(const StepPlace& place, const std::string& text);
  void put(const StepPlace& place, StepRecord record);
  /// Writes the records if they changed. Not being able to is no error: the next build explains
  /// less.
  void save() noexcept;

 private:
  LocalStore& store_;
  std::string name_;
  std::mutex mutex_;
  std::map<StepPlace, StepRecord> old_;  // guarded by mutex_
  std::map<StepPlace, StepRecord> now_;  // guarded by mutex_
  bool changed_ = false;                 // guarded by mutex_
};

/// The text form of records, for StepRecords and its tests: fields with their lengths. What is no
/// such text gives no records.
std::string write_records(const std::map<StepPlace, StepRecord>& records);
std::map<StepPlace, StepRecord> parse_records(std::string_view text);

}  // namespace lade::build
