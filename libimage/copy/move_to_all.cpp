#include <exception>
#include <thread>

#include "libimage/base/text.h"
#include "libimage/copy/move_blob.h"
#include "libimage/io/pipe.h"

namespace lade {
namespace {

/// A branch with the thread that writes it.
class Consumer {
 public:
  Consumer(BlobBranch& branch, const CopyOptions& options, const std::stop_token& stop)
      : branch_(branch),
        pipe_(kPipeBytes),
        thread_([this, &options, stop] { run(options, stop); }) {}

  [[nodiscard]] bool takes_more() const noexcept { return takes_more_; }

  void write(ByteView data, const std::stop_token& stop) {
    try {
      pipe_.write({data.begin(), data.end()}, stop);
    } catch (const Error&) {  // the branch says so itself
      takes_more_ = false;
    }
  }
  void close() { pipe_.close(); }
  void fail(const std::exception_ptr& error) { pipe_.fail(error); }
  void join() { thread_.join(); }

 private:
  static constexpr std::size_t kPipeBytes = std::size_t{2} << 20U;

  void run(const CopyOptions& options, const std::stop_token& stop) {
    try {
      PipeSource from(pipe_, stop);
      branch_.moved = write_blob(from, branch_, options);
    } catch (const Error& e) {
      give_up(e);
    } catch (const std::exception& e) {  // also Cancelled, which the reading side finds by itself
      give_up(Error(Errc::internal, e.what()));
    }
  }

  void give_up(const Error& error) {
    branch_.failure = error;
    pipe_.abandon(std::make_exception_ptr(error));
  }

  BlobBranch& branch_;
  Pipe pipe_;
  bool takes_more_ = true;
  std::jthread thread_;
};

}  // namespace

void stream_to_all(const std::vector<BlobBranch*>& branches, Reader& source,
                   const CopyOptions& options, ProgressObserver& observer,
                   const std::stop_token& stop) {
  std::vector<std::unique_ptr<Consumer>> consumers;
  for (BlobBranch* branch : branches) {
    consumers.push_back(std::make_unique<Consumer>(*branch, options, stop));
  }
  const auto for_all = [&](const auto& body) {
    for (const auto& consumer : consumers) body(*consumer);
  };
  try {
    const oci::Descriptor& blob = branches.front()->planned->source;
    ObservedSource from(source.open(blob), blob, observer, stop);
    std::vector<std::byte> buffer(kChunkBytes);
    bool wanted = true;
    while (wanted) {
      const std::size_t got = from.read(buffer);
      if (got == 0) break;
      wanted = false;
      for_all([&](Consumer& consumer) {
        if (consumer.takes_more()) consumer.write(std::span(buffer).first(got), stop);
        wanted = wanted || consumer.takes_more();
      });
    }
    // Only now: a consumer that sees the end commits what it has, so the end must be verified.
    for_all([](Consumer& consumer) { consumer.close(); });
  } catch (...) {
    const std::exception_ptr error = std::current_exception();
    for_all([&](Consumer& consumer) { consumer.fail(error); });
  }
  for_all([](Consumer& consumer) { consumer.join(); });
  if (stop.stop_requested()) throw Cancelled();
}

}  // namespace lade
