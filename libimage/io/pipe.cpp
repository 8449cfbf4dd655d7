#include "libimage/io/pipe.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "libimage/base/error.h"

namespace lade {
namespace {

// One is filled while another is emptied; more wait only where both sides pause.
constexpr std::size_t kMaxSpares = 4;

}  // namespace

void Pipe::write(std::vector<std::byte> chunk, const std::stop_token& stop) {
  if (chunk.empty()) return;  // an empty chunk would read as the end
  std::unique_lock lock(mutex_);
  const bool ready = changed_.wait(lock, stop, [&] { return reader_error_ || bytes_ < capacity_; });
  if (reader_error_) std::rethrow_exception(reader_error_);
  if (!ready) throw Cancelled();
  bytes_ += chunk.size();
  chunks_.push_back(std::move(chunk));
  changed_.notify_all();
}

void Pipe::close() {
  const std::scoped_lock lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

void Pipe::fail(std::exception_ptr error) {
  const std::scoped_lock lock(mutex_);
  writer_error_ = std::move(error);
  changed_.notify_all();
}

void Pipe::abandon(std::exception_ptr error) {
  const std::scoped_lock lock(mutex_);
  reader_error_ = std::move(error);
  chunks_.clear();
  bytes_ = 0;
  changed_.notify_all();
}

std::vector<std::byte> Pipe::read(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  const bool ready =
      changed_.wait(lock, stop, [&] { return writer_error_ || closed_ || !chunks_.empty(); });
  if (!ready) throw Cancelled();
  if (!chunks_.empty()) {
    std::vector<std::byte> chunk = std::move(chunks_.front());
    chunks_.pop_front();
    bytes_ -= chunk.size();
    changed_.notify_all();
    return chunk;
  }
  if (writer_error_) std::rethrow_exception(writer_error_);
  return {};
}

std::vector<std::byte> Pipe::spare() {
  const std::scoped_lock lock(mutex_);
  if (spares_.empty()) return {};
  std::vector<std::byte> chunk = std::move(spares_.back());
  spares_.pop_back();
  return chunk;
}

void Pipe::recycle(std::vector<std::byte> chunk) {
  if (chunk.capacity() == 0) return;
  const std::scoped_lock lock(mutex_);
  if (spares_.size() < kMaxSpares) spares_.push_back(std::move(chunk));
}

std::size_t PipeSource::read(std::span<std::byte> out) {
  if (at_ == current_.size()) {
    pipe_.recycle(std::exchange(current_, {}));
    current_ = pipe_.read(stop_);  // empty at the end, however often
    at_ = 0;
  }
  const std::size_t count = std::min(out.size(), current_.size() - at_);
  if (count > 0) std::memcpy(out.data(), current_.data() + at_, count);
  at_ += count;
  return count;
}

AsyncSink::AsyncSink(Sink& next, std::size_t capacity_bytes)
    : next_(next),
      pipe_(capacity_bytes),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

AsyncSink::~AsyncSink() {
  thread_.request_stop();  // a finished thread ignores it
}

void AsyncSink::run(const std::stop_token& stop) {
  try {
    for (;;) {
      std::vector<std::byte> chunk = pipe_.read(stop);
      if (chunk.empty()) break;
      next_.write(chunk);
      pipe_.recycle(std::move(chunk));
    }
    next_.finish();
  } catch (...) {  // handed to the writer: this is the top of a thread
    failure_ = std::current_exception();
    pipe_.abandon(failure_);
  }
}

void AsyncSink::write(ByteView data) {
  while (!data.empty()) {
    if (pending_.capacity() == 0) {
      pending_ = pipe_.spare();
      pending_.clear();
      pending_.reserve(kChunkBytes);
    }
    const std::size_t count = std::min(data.size(), kChunkBytes - pending_.size());
    pending_.insert(pending_.end(), data.begin(),
                    data.begin() + static_cast<std::ptrdiff_t>(count));
    data = data.subspan(count);
    if (pending_.size() == kChunkBytes) pipe_.write(std::exchange(pending_, {}));
  }
}

void AsyncSink::finish() {
  pipe_.write(std::exchange(pending_, {}));
  pipe_.close();
  thread_.join();
  if (failure_) std::rethrow_exception(failure_);
}

ReadAheadSource::ReadAheadSource(std::unique_ptr<Source> source, std::size_t capacity_bytes)
    : owned_(std::move(source)),
      source_(*owned_),
      pipe_(capacity_bytes),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

ReadAheadSource::ReadAheadSource(Source& source, std::size_t capacity_bytes)
    : source_(source),
      pipe_(capacity_bytes),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

void ReadAheadSource::run(const std::stop_token& stop) {
  try {
    for (;;) {
      std::vector<std::byte> chunk = pipe_.spare();
      chunk.resize(kChunkBytes);
      chunk.resize(source_.read(chunk));
      if (chunk.empty()) break;
      pipe_.write(std::move(chunk), stop);
    }
    pipe_.close();
  } catch (...) {  // handed to the reader: this is the top of a thread
    pipe_.fail(std::current_exception());
  }
}

ReadAheadSource::~ReadAheadSource() { thread_.request_stop(); }

std::size_t ReadAheadSource::read(std::span<std::byte> out) { return from_.read(out); }

}  // namespace lade
