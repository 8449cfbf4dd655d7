#include "libimage/compress/member_sink.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace lade {
namespace {

/// Beyond this many threads a stream does not get faster, but its buffers more.
constexpr unsigned kMaxThreads = 64;

/// Members that share a buffer at most, and what each may add to the bound of the whole: headers,
/// checksums and the ends of blocks.
constexpr std::size_t kMaxBatch = 2048;
constexpr std::size_t kMemberOverhead = 128;

}  // namespace

MemberSink::MemberSink(Sink& out, const MemberFormat& format, unsigned threads,
                       std::function<void(std::uint64_t)> on_member)
    : out_(out),
      format_(format),
      capacity_(format.bound + kMaxBatch * kMemberOverhead),
      max_threads_(std::clamp(threads, 1U, kMaxThreads)),
      max_in_flight_(std::size_t{max_threads_} + 2),
      on_member_(std::move(on_member)) {}

MemberSink::~MemberSink() {
  {
    const std::scoped_lock lock(mutex_);
    queue_.clear();
  }
  stop_threads();
}

MemberSink::Buffer MemberSink::new_buffer() const {
  // Every buffer has room for a compressed member, so that input and output can change places.
  return std::make_unique_for_overwrite<std::byte[]>(capacity_);
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
    if (filled_ == format_.input) make_room();
    if (!current_) current_ = take_buffer();
    const std::size_t count = std::min(data.size(), format_.input - filled_);
    std::memcpy(current_.get() + filled_, data.data(), count);
    filled_ += count;
    data = data.subspan(count);
  }
}

/// The buffer is full: the members in it go, late, so that a stream of one member needs no thread;
/// the start of the one that is being filled moves to the next buffer, unless it is full itself.
void MemberSink::make_room() {
  const std::size_t started = ends_.empty() ? 0 : ends_.back();
  if (started == 0 || started == filled_) {
    cut();
    submit();
    return;
  }
  Buffer next = take_buffer();
  const std::size_t rest = filled_ - started;
  std::memcpy(next.get(), current_.get() + started, rest);
  submit();
  current_ = std::move(next);
  filled_ = rest;
}

void MemberSink::cut() {
  if (filled_ == (ends_.empty() ? 0 : ends_.back())) return;
  ends_.push_back(filled_);
  ++members_;
  if (ends_.size() == kMaxBatch) submit();
}

void MemberSink::submit() {
  if (ends_.empty()) return;
  std::unique_lock lock(mutex_);
  room_.wait(lock, [&] { return failure_ != nullptr || submitted_ - emitted_ < max_in_flight_; });
  if (failure_) std::rethrow_exception(failure_);
  queue_.push_back({submitted_, std::move(current_), std::exchange(ends_, {})});
  filled_ = 0;
  ++submitted_;
  if (queue_.size() > idle_ && threads_.size() < max_threads_) {
    threads_.emplace_back([this] { work(); });
  }
  work_ready_.notify_one();
}

void MemberSink::finish() {
  cut();
  if (submitted_ == 0) {  // no thread exists: nothing to lock
    if (!current_) current_ = new_buffer();
    if (ends_.empty()) ends_.push_back(0);  // content of nothing is a member of nothing
    Batch only{.bytes = std::move(current_), .ends = std::move(ends_)};
    Buffer scratch = new_buffer();
    compress(only, *format_.make_compressor(format_.level), scratch);
    emit(only);
    out_.finish();
    return;
  }
  submit();
  {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] { return failure_ != nullptr || emitted_ == submitted_; });
  }
  stop_threads();
  if (failure_) std::rethrow_exception(failure_);
  out_.finish();
}

/// `batch` becomes its compressed form, `scratch` the buffer that is free then.
void MemberSink::compress(Batch& batch, MemberCompressor& compressor, Buffer& scratch) const {
  std::size_t from = 0;
  std::size_t to = 0;
  for (std::size_t& end : batch.ends) {
    to += compressor.compress({batch.bytes.get() + from, end - from},
                              {scratch.get() + to, capacity_ - to});
    from = std::exchange(end, to);
  }
  std::swap(batch.bytes, scratch);
}

void MemberSink::emit(const Batch& batch) {
  if (on_member_) {
    std::size_t from = 0;
    for (const std::size_t end : batch.ends) on_member_(end - std::exchange(from, end));
  }
  out_.write({batch.bytes.get(), batch.ends.back()});
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
    Batch batch = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    compress(batch, *compressor, scratch);
    lock.lock();
    const std::uint64_t index = batch.index;
    done_.emplace(index, std::move(batch));
    emit_in_order(lock);
  }
}

void MemberSink::emit_in_order(std::unique_lock<std::mutex>& lock) {
  if (emitting_) return;  // that thread will find what this one has just added
  emitting_ = true;
  for (auto next = done_.find(emitted_); next != done_.end() && !failure_;
       next = done_.find(emitted_)) {
    Batch batch = std::move(next->second);
    done_.erase(next);
    lock.unlock();
    emit(batch);  // a failure ends every thread: see work()
    lock.lock();
    spare_.push_back(std::move(batch.bytes));
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
