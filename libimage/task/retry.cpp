#include "libimage/task/retry.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <random>

namespace lade {

bool may_succeed_later(const Error& error) noexcept {
  return !error.is_final() &&
         (error.code() == Errc::unavailable || error.code() == Errc::rate_limited);
}

std::chrono::milliseconds delay_after(const RetryPolicy& policy, unsigned attempt,
                                      const Error& error) {
  if (const auto* http = std::get_if<HttpDetail>(&error.detail());
      http != nullptr && http->retry_after_seconds >= 0) {
    return std::min<std::chrono::milliseconds>(std::chrono::seconds(http->retry_after_seconds),
                                               policy.longest_delay);
  }
  auto delay = policy.first_delay;
  for (unsigned i = 1; i < attempt && delay < policy.longest_delay; ++i) delay *= 2;
  delay = std::min(delay, policy.longest_delay);
  thread_local std::minstd_rand random{std::random_device{}()};
  std::uniform_int_distribution<std::int64_t> jitter(0,
                                                     std::max<std::int64_t>(delay.count() / 4, 1));
  return delay + std::chrono::milliseconds(jitter(random));
}

void wait_before_retry(const RetryPolicy& policy, std::chrono::milliseconds delay,
                       const std::stop_token& stop) {
  if (policy.sleep) {
    if (!policy.sleep(delay, stop)) throw Cancelled();
    return;
  }
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  changed.wait_for(lock, stop, delay, [] { return false; });
  if (stop.stop_requested()) throw Cancelled();
}

}  // namespace lade
