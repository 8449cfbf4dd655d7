#pragma once
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <queue>
#include <stop_token>
#include <vector>

namespace lade {

/// Work that makes more work: what run_graph() is for graphs that are known before. Work never
/// waits for other work: it arranges to be added again when what it needs is there.
class WorkQueue {
 public:
  using Work = std::function<void()>;
  /// `stop` asks all of it to end.
  explicit WorkQueue(const std::stop_token& stop);
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  /// From any thread. Among what is ready the lowest `order` starts first, of equals the one added
  /// first.
  void add(std::size_t order, Work work);
  /// Announces one add_expected() from outside of the queue's own work: until then run() does not
  /// end.
  void expect();
  void add_expected(std::size_t order, Work work);

  /// Asked to stop when work failed or the caller of the constructor asked.
  [[nodiscard]] std::stop_token stop() const { return stop_.get_token(); }

  /// Runs on at most `workers` threads (at least 1; the calling thread is one of them) until
  /// nothing is ready, running or expected. The first exception stops the rest: what has not begun
  /// never does, then it is rethrown. Throws Cancelled if stop was requested and nothing else
  /// failed.
  void run(unsigned workers);

 private:
  struct Ready {
    std::size_t order = 0;
    std::size_t number = 0;
    Work work = {};
    bool operator<(const Ready& other) const noexcept {  // of a priority_queue: last is first
      return order != other.order ? order > other.order : number > other.number;
    }
  };
  void push(std::size_t order, Work work);
  void work();

  std::stop_source stop_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::priority_queue<Ready> ready_;  // guarded by mutex_
  std::size_t added_ = 0;             // guarded by mutex_
  std::size_t running_ = 0;           // guarded by mutex_
  std::size_t expected_ = 0;          // guarded by mutex_
  std::exception_ptr failure_;        // guarded by mutex_
  std::stop_callback<std::function<void()>> forward_;
};

}  // namespace lade
