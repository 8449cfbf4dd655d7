#pragma once
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "libimage/local/local_store.h"

namespace lade::build {

/// The steps that one build executes now and has executed, by key: equal steps of different stages
/// and platforms are done once. Thread-safe.
class StepTable {
 public:
  /// True: the step is the caller's until release(). False: somebody else is at it.
  bool claim(const std::string& key);
  void release(const std::string& key);
  /// `wake` is called when the step is released; at once if nobody is at it.
  void when_released(const std::string& key, std::function<void()> wake);

  /// What this very build made, which counts even where nothing else of the cache does.
  void remember(const std::string& key, const StepResult& result);
  [[nodiscard]] std::optional<StepResult> find(const std::string& key);

 private:
  std::mutex mutex_;
  std::map<std::string, std::vector<std::function<void()>>> running_;  // guarded by mutex_
  std::map<std::string, StepResult> done_;                             // guarded by mutex_
};

/// Thrown out of an instruction: its step is being executed elsewhere. The instruction has changed
/// nothing yet, and is executed again when the step is over.
struct StepPending {
  std::string key;
  enum class By { this_build, another_build } by = By::this_build;
};

}  // namespace lade::build
