#include "libimage/http/origin_window.h"

#include <algorithm>

#include "libimage/base/error.h"

namespace lade {

OriginWindow::Place OriginWindow::enter(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  const bool room =
      changed_.wait(lock, stop, [&] { return static_cast<double>(in_flight_) < limit_; });
  if (!room) throw Cancelled();
  ++in_flight_;
  return {*this, epoch_};
}

double OriginWindow::limit() const {
  const std::scoped_lock lock(mutex_);
  return limit_;
}

OriginWindow::Place::~Place() {
  const std::scoped_lock lock(window_.mutex_);
  --window_.in_flight_;
  window_.changed_.notify_one();
}

void OriginWindow::Place::answered() {
  const std::scoped_lock lock(window_.mutex_);
  if (window_.limit_ >= window_.most_) return;
  window_.limit_ = std::min(window_.most_, window_.limit_ + 1 / window_.limit_);
  window_.changed_.notify_one();
}

void OriginWindow::Place::refused() {
  const std::scoped_lock lock(window_.mutex_);
  // Requests that were on their way before the last decrease say nothing new.
  if (epoch_ != window_.epoch_) return;
  ++window_.epoch_;
  window_.limit_ = std::max(1.0, window_.limit_ / 2);
}

}  // namespace lade
