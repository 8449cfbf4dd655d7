#pragma once
#include <stop_token>
#include <thread>

namespace lade::tools {

/// While it lives, SIGINT, SIGTERM and SIGHUP ask for a stop (owned by a thread in sigwait) instead
/// of ending the process; a second one ends it at once with status 130. Must be made before any
/// other thread.
class StopOnSignal {
 public:
  StopOnSignal();
  ~StopOnSignal();
  StopOnSignal(const StopOnSignal&) = delete;
  StopOnSignal& operator=(const StopOnSignal&) = delete;
  [[nodiscard]] std::stop_token token() const { return source_.get_token(); }

 private:
  std::stop_source source_;
  std::jthread waiter_;
};

}  // namespace lade::tools
