#include "libimage/compress/member_sink.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace lade {
namespace {

/// Beyond this many threads a stream does not get faster, but its buffers more.
constexpr unsigned kMaxThreads = 64;

}  // namespace

MemberSink::MemberSink(Sink& out, const MemberFormat& format, unsigned threads)
    : out_(out),
      format_(format),
      max_threads_(std::clamp(threads, 1U, kMaxThreads)),
      max_in_flight_(std::size_t{max_threads_} + 2) {}

MemberSink::~MemberSink() {
  {
    const std::scoped_lock lock(mutex_);
    queue_.clear();
  }
  stop_threads();
}

MemberSink::Buffer MemberSink::new_buffer() const {
  // Every buffer has room for a compressed member, so that input and output can change places.
  return std::make_unique_for_overwrite<std::byte[]>(format_.bound);
}

MemberSink::Buffer MemberSink::take_buffer() {
  {
    const std::scoped_lock lock(mutex_);
    if (!spare_.empty()) {
      Buffer buffer = std::move(spare_.back());
      spare_.pop_back();
      return buffer;
    }
  }
  return new_buffer();
}

void MemberSink::write(ByteView data) {
  while (!data.empty()) {
    if (filled_ == format_.input) submit();  // late, so that a stream of one member needs no thread
    if (!current_) current_ = take_buffer();
    const std::size_t count = std::min(data.size(), format_.input - filled_);
    std::memcpy(current_.get() + filled_, data.data(), count);
    filled_ += count;
    data = data.subspan(count);
  }
}

void MemberSink::submit() {
  std::unique_lock lock(mutex_);
  room_.wait(lock, [&] { return failure_ != nullptr || submitted_ - emitted_ < max_in_flight_; });
  if (failure_) std::rethrow_exception(failure_);
  queue_.push_back({submitted_, std::move(current_), std::exchange(filled_, 0)});
  ++submitted_;
  if (queue_.size() > idle_ && threads_.size() < max_threads_) {
    threads_.emplace_back([this] { work(); });
  }
  work_ready_.notify_one();
}

void MemberSink::finish() {
  if (submitted_ == 0) {  // no thread exists: nothing to lock
    if (!current_) current_ = new_buffer();
    const Buffer compressed = new_buffer();
    const std::size_t size =
        format_.make_compressor(format_.level)
            ->compress({current_.get(), filled_}, {compressed.get(), format_.bound});
    out_.write({compressed.get(), size});
    out_.finish();
    return;
  }
  if (filled_ != 0) submit();
  {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] { return failure_ != nullptr || emitted_ == submitted_; });
  }
  stop_threads();
  if (failure_) std::rethrow_exception(failure_);
  out_.finish();
}

void MemberSink::work() {
  try {
    compress_queued();
  } catch (...) {  // handed to the caller: this is the top of a thread
    const std::scoped_lock lock(mutex_);
    if (!failure_) failure_ = std::current_exception();
    room_.notify_all();
    work_ready_.notify_all();
  }
}

void MemberSink::compress_queued() {
  const std::unique_ptr<MemberCompressor> compressor = format_.make_compressor(format_.level);
  Buffer scratch = new_buffer();
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    work_ready_.wait(lock, [&] { return may_work(); });
    --idle_;
    if (failure_ || queue_.empty()) return;
    Member member = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    member.size =
        compressor->compress({member.bytes.get(), member.size}, {scratch.get(), format_.bound});
    std::swap(member.bytes, scratch);
    lock.lock();
    const std::uint64_t index = member.index;
    done_.emplace(index, std::move(member));
    emit_in_order(lock);
  }
}

void MemberSink::emit_in_order(std::unique_lock<std::mutex>& lock) {
  if (emitting_) return;  // that thread will find what this one has just added
  emitting_ = true;
  for (auto next = done_.find(emitted_); next != done_.end() && !failure_;
       next = done_.find(emitted_)) {
    Member member = std::move(next->second);
    done_.erase(next);
    lock.unlock();
    out_.write({member.bytes.get(), member.size});  // a failure ends every thread: see work()
    lock.lock();
    spare_.push_back(std::move(member.bytes));
    ++emitted_;
    room_.notify_one();
  }
  emitting_ = false;
}

void MemberSink::stop_threads() noexcept {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    work_ready_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace lade
