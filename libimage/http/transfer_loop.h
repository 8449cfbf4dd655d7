/// The thread that drives all transfers of a client. Internal.
#pragma once
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "libimage/http/transfer.h"

namespace lade {

class TransferLoop {
 public:
  /// Starts the thread, with all signals blocked: they belong to whoever waits for them.
  explicit TransferLoop(const HttpOptions& options);
  /// Fails what is still in flight as cancelled.
  ~TransferLoop();
  TransferLoop(const TransferLoop&) = delete;
  TransferLoop& operator=(const TransferLoop&) = delete;

  void submit(std::shared_ptr<Transfer> transfer);
  void resume(std::shared_ptr<Transfer> transfer) noexcept;
  void abort(std::shared_ptr<Transfer> transfer) noexcept;

 private:
  enum class Action { submit, resume, abort };
  struct Order {
    Action action;
    std::shared_ptr<Transfer> transfer;
  };
  void enqueue(Order order);
  void run() noexcept;
  void turn();
  void carry_out(Order& order);
  void collect_finished();
  void drop_stalled();
  void remove(CURL* handle);

  const CurlApi& curl_;
  CURLM* multi_;
  const int poll_milliseconds_;
  std::mutex mutex_;
  std::vector<Order> orders_;                                    // guarded by mutex_
  bool stop_ = false;                                            // guarded by mutex_
  std::unordered_map<CURL*, std::shared_ptr<Transfer>> active_;  // the thread's
  std::thread thread_;
};

}  // namespace lade
