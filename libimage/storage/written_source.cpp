#include "libimage/storage/written_source.h"

#include <utility>

#include "libimage/base/error.h"
#include "libimage/layer/write_layer.h"

namespace lade {
namespace {

class PipeSink final : public Sink {
 public:
  PipeSink(Pipe& pipe, const std::stop_token& stop) : pipe_(pipe), stop_(stop) {}
  void write(ByteView data) override { pipe_.write({data.begin(), data.end()}, stop_); }

 private:
  Pipe& pipe_;
  const std::stop_token& stop_;
};

}  // namespace

WrittenSource::WrittenSource(std::vector<LayerEntry> entries)
    : entries_(std::move(entries)), thread_([this](const std::stop_token& stop) {
        try {
          PipeSink pipe(pipe_, stop);
          BufferedSink buffered(pipe);
          write_tar(entries_, buffered, {});
          buffered.finish();
          pipe_.close();
        } catch (...) {
          pipe_.fail(std::current_exception());
        }
      }) {}

WrittenSource::~WrittenSource() = default;

std::size_t WrittenSource::read(std::span<std::byte> out) { return from_.read(out); }

}  // namespace lade
