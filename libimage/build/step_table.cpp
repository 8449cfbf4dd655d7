#include "libimage/build/step_table.h"

#include <utility>

namespace lade::build {

bool StepTable::claim(const std::string& key) {
  const std::scoped_lock lock(mutex_);
  return running_.try_emplace(key).second;
}

void StepTable::release(const std::string& key) {
  std::vector<std::function<void()>> waiting;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = running_.find(key);
    if (found == running_.end()) return;
    waiting = std::move(found->second);
    running_.erase(found);
  }
  for (const auto& wake : waiting) wake();
}

void StepTable::when_released(const std::string& key, std::function<void()> wake) {
  {
    const std::scoped_lock lock(mutex_);
    const auto found = running_.find(key);
    if (found != running_.end()) {
      found->second.push_back(std::move(wake));
      return;
    }
  }
  wake();
}

void StepTable::remember(const std::string& key, const StepResult& result) {
  const std::scoped_lock lock(mutex_);
  done_[key] = result;
}

std::optional<StepResult> StepTable::find(const std::string& key) {
  const std::scoped_lock lock(mutex_);
  const auto found = done_.find(key);
  if (found == done_.end()) return std::nullopt;
  return found->second;
}

}  // namespace lade::build
