/// How many requests one origin gets at once: halved when it says that it is overloaded, grown
/// again while it answers (additive increase, multiplicative decrease). Internal.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <stop_token>

namespace lade {

class OriginWindow {
 public:
  explicit OriginWindow(double limit) : most_(limit), limit_(limit) {}

  /// A place among the requests in flight, from its request to the headers of its answer.
  class Place {
   public:
    Place(OriginWindow& window, std::uint64_t epoch) : window_(window), epoch_(epoch) {}
    ~Place();
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    /// The origin answered: it takes more.
    void answered();
    /// The origin asked for less. Many at once count as one.
    void refused();

   private:
    OriginWindow& window_;
    const std::uint64_t epoch_;
  };

  /// Waits until there is room; throws Cancelled.
  Place enter(const std::stop_token& stop);
  [[nodiscard]] double limit() const;

 private:
  const double most_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  double limit_;               // guarded by mutex_
  std::size_t in_flight_ = 0;  // guarded by mutex_
  std::uint64_t epoch_ = 0;    // guarded by mutex_; one for each decrease
};

}  // namespace lade
