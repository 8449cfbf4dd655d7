#include "libimage/task/work_queue.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "libimage/base/error.h"

namespace lade {

WorkQueue::WorkQueue(const std::stop_token& stop)
    : forward_(stop, [this] {
        stop_.request_stop();
        const std::scoped_lock lock(mutex_);
        changed_.notify_all();
      }) {}

void WorkQueue::push(std::size_t order, Work work) {
  ready_.push({.order = order, .number = added_++, .work = std::move(work)});
  changed_.notify_one();
}

void WorkQueue::add(std::size_t order, Work work) {
  const std::scoped_lock lock(mutex_);
  push(order, std::move(work));
}

void WorkQueue::expect() {
  const std::scoped_lock lock(mutex_);
  ++expected_;
}

void WorkQueue::add_expected(std::size_t order, Work work) {
  const std::scoped_lock lock(mutex_);
  --expected_;
  push(order, std::move(work));
}

void WorkQueue::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] {
      return !ready_.empty() || (running_ == 0 && expected_ == 0) || stop_.stop_requested();
    });
    if (stop_.stop_requested() || ready_.empty()) break;
    const Work next = ready_.top().work;
    ready_.pop();
    ++running_;
    lock.unlock();
    std::exception_ptr failure;
    try {
      next();
    } catch (...) {  // rethrown by run() on the caller's thread
      failure = std::current_exception();
    }
    lock.lock();
    --running_;
    if (failure) {
      if (!failure_) failure_ = failure;
      stop_.request_stop();
    }
    if (failure || (running_ == 0 && ready_.empty())) changed_.notify_all();
  }
  changed_.notify_all();
}

void WorkQueue::run(unsigned workers) {
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 1; i < std::max(workers, 1U); ++i) threads.emplace_back([&] { work(); });
    work();
  }
  if (failure_) std::rethrow_exception(failure_);
  if (stop_.stop_requested()) throw Cancelled();
}

}  // namespace lade
