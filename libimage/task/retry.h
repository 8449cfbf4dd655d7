#pragma once
#include <chrono>
#include <functional>
#include <stop_token>

#include "libimage/base/error.h"

namespace lade {

/// When to try again: only after Errc::unavailable and Errc::rate_limited. Used by the HTTP client
/// for requests that it can repeat, by streams that can go on where they broke, and by the owner of
/// a streamed upload, who alone can open its source again. Who gives up makes its error final, so
/// that attempts add up and do not multiply.
struct RetryPolicy {
  unsigned attempts = 5;  ///< in all, at least 1
  std::chrono::milliseconds first_delay{500};
  std::chrono::milliseconds longest_delay{60'000};  ///< also caps a server's Retry-After
  /// Waits; false: stop was requested. Replaced in tests. Empty: really waits.
  std::function<bool(std::chrono::milliseconds, const std::stop_token&)> sleep = {};
};

/// Whether `error` may go away by itself, and nobody has waited for that yet (Error::is_final).
bool may_succeed_later(const Error& error) noexcept;

/// How long to wait after attempt number `attempt` (from 1) failed with `error`: doubling, with up
/// to a quarter of jitter, or what the server's Retry-After asks for.
std::chrono::milliseconds delay_after(const RetryPolicy& policy, unsigned attempt,
                                      const Error& error);

/// Waits for `delay` unless stop is requested, which throws Cancelled.
void wait_before_retry(const RetryPolicy& policy, std::chrono::milliseconds delay,
                       const std::stop_token& stop);

/// Runs `body` until it succeeds, fails for good, or the attempts are used up; the last error is
/// thrown. `on_retry` is told of each failure that will be retried.
template <typename Body>
decltype(auto) with_retries(
    const RetryPolicy& policy, const std::stop_token& stop,
    const std::function<void(const Error&, std::chrono::milliseconds)>& on_retry,
    const Body& body) {
  for (unsigned attempt = 1;; ++attempt) {
    try {
      return body();
    } catch (const Error& e) {
      if (attempt >= policy.attempts || !may_succeed_later(e)) throw;
      const auto delay = delay_after(policy, attempt, e);
      if (on_retry) on_retry(e, delay);
      wait_before_retry(policy, delay, stop);
    }
  }
}

}  // namespace lade
