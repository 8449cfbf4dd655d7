#include "libimage/http/transfer_loop.h"

#include <algorithm>
#include <csignal>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade {

TransferLoop::TransferLoop(const HttpOptions& options)
    : curl_(curl_api()),
      multi_(curl_.multi_init()),
      poll_milliseconds_(static_cast<int>(
          std::clamp<std::int64_t>(options.low_speed_time.count() / 4, 10, 1000))) {
  if (multi_ == nullptr) throw Error(Errc::internal, "libcurl gives no multi handle");
  curl_.multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS,
                     static_cast<long>(options.connections_per_host));
  // By default idle connections are closed beyond four for each request that is under way now.
  curl_.multi_setopt(multi_, CURLMOPT_MAXCONNECTS,
                     static_cast<long>(options.connections_per_host) * 2);
  curl_.multi_setopt(multi_, CURLMOPT_PIPELINING, long{CURLPIPE_MULTIPLEX});
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TransferLoop::~TransferLoop() {
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  curl_.multi_wakeup(multi_);
  thread_.join();
  curl_.multi_cleanup(multi_);
}

void TransferLoop::submit(std::shared_ptr<Transfer> transfer) {
  enqueue({Action::submit, std::move(transfer)});
}

void TransferLoop::resume(std::shared_ptr<Transfer> transfer) noexcept {
  enqueue({Action::resume, std::move(transfer)});
}

void TransferLoop::abort(std::shared_ptr<Transfer> transfer) noexcept {
  enqueue({Action::abort, std::move(transfer)});
}

void TransferLoop::enqueue(Order order) {
  {
    const std::scoped_lock lock(mutex_);
    orders_.push_back(std::move(order));
  }
  curl_.multi_wakeup(multi_);
}

void TransferLoop::run() noexcept {
  for (;;) {
    std::vector<Order> orders;
    {
      const std::scoped_lock lock(mutex_);
      if (stop_) break;
      orders.swap(orders_);
    }
    for (Order& order : orders) carry_out(order);
    turn();
  }
  for (const auto& [handle, transfer] : active_) {
    transfer->fail(std::make_exception_ptr(Cancelled()));
    curl_.multi_remove_handle(multi_, handle);
  }
  active_.clear();
  const std::scoped_lock lock(mutex_);
  for (const Order& order : orders_) {
    order.transfer->fail(std::make_exception_ptr(Cancelled()));
  }
}

void TransferLoop::turn() {
  int running = 0;
  curl_.multi_perform(multi_, &running);
  for (const auto& [handle, transfer] : active_) transfer->announce();
  collect_finished();
  drop_stalled();
  // Without transfers only a wakeup ends the wait.
  const int wait = active_.empty() ? 60'000 : poll_milliseconds_;
  curl_.multi_poll(multi_, nullptr, 0, wait, nullptr);
}

void TransferLoop::carry_out(Order& order) {
  CURL* handle = order.transfer->handle();
  switch (order.action) {
    case Action::submit:
      if (curl_.multi_add_handle(multi_, handle) != CURLM_OK) {
        order.transfer->fail(
            std::make_exception_ptr(Error(Errc::internal, "libcurl does not take the request")));
        return;
      }
      active_.emplace(handle, std::move(order.transfer));
      return;
    case Action::resume:
      if (active_.contains(handle)) order.transfer->resume();
      return;
    case Action::abort:
      order.transfer->fail(std::make_exception_ptr(Cancelled()));
      remove(handle);
      return;
  }
}

void TransferLoop::collect_finished() {
  int left = 0;
  while (const CURLMsg* message = curl_.multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* handle = message->easy_handle;
    const CURLcode result = message->data.result;
    const auto found = active_.find(handle);
    if (found == active_.end()) continue;
    const std::shared_ptr<Transfer> transfer = found->second;
    remove(handle);
    transfer->finished(result);
  }
}

void TransferLoop::drop_stalled() {
  const auto now = Transfer::Clock::now();
  std::vector<CURL*> stalled;
  for (const auto& [handle, transfer] : active_) {
    if (transfer->stalls(now)) stalled.push_back(handle);
  }
  for (CURL* handle : stalled) remove(handle);
}

void TransferLoop::remove(CURL* handle) {
  const auto found = active_.find(handle);
  if (found == active_.end()) return;
  curl_.multi_remove_handle(multi_, handle);
  active_.erase(found);
}

}  // namespace lade
