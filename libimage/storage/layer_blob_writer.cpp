#include "libimage/storage/layer_blob_writer.h"

#include <exception>
#include <thread>
#include <utility>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/pipe.h"
#include "libimage/store/blob_check.h"

namespace lade {
namespace {

class UnpackingWriter final : public BlobWriter {
 public:
  UnpackingWriter(const BlobHint& hint, ContainerStore& store, StagingDir& staging,
                  LayerReceived received)
      : check_(hint),
        received_(std::move(received)),
        thread_([this, &store, &staging](const std::stop_token& stop) {
          try {
            staged_ = std::make_shared<StagedLayer>(
                stage_layer(std::make_unique<PipeSource>(pipe_, stop), store.root().driver(),
                            store.location(), staging, nullptr));
          } catch (...) {
            failure_ = std::current_exception();
            pipe_.abandon(failure_);
          }
        }) {}

  void write(ByteView data) override {
    check_.add(data);
    pipe_.write({data.begin(), data.end()});
  }

  oci::Descriptor commit(oci::MediaType media_type) override {
    oci::Descriptor blob = check_.result(std::move(media_type));
    pipe_.close();
    thread_.join();
    if (failure_) std::rethrow_exception(failure_);
    received_({blob, std::move(staged_)});
    return blob;
  }

 private:
  BlobCheck check_;
  LayerReceived received_;
  Pipe pipe_;
  std::shared_ptr<StagedLayer> staged_;  // written by the thread, read after join
  std::exception_ptr failure_;           // likewise
  std::jthread thread_;
};

class TextWriter final : public BlobWriter {
 public:
  TextWriter(const BlobHint& hint, TextReceived received)
      : check_(hint), received_(std::move(received)) {}

  void write(ByteView data) override {
    check_.add(data);
    if (check_.bytes() > oci::kMaxConfigBytes) {
      throw Error(Errc::unsupported,
                  cat("container storage holds images only: a blob that is no layer has more than ",
                      oci::kMaxConfigBytes, " bytes"));
    }
    text_ += chars_of(data);
  }

  oci::Descriptor commit(oci::MediaType media_type) override {
    oci::Descriptor blob = check_.result(std::move(media_type));
    received_(blob, std::move(text_));
    return blob;
  }

 private:
  BlobCheck check_;
  TextReceived received_;
  std::string text_;
};

class GuessingWriter final : public BlobWriter {
 public:
  using Make = std::function<std::unique_ptr<BlobWriter>()>;
  GuessingWriter(Make layer, Make text) : layer_(std::move(layer)), text_(std::move(text)) {}

  void write(ByteView data) override {
    if (data.empty()) return;
    if (!writer_) writer_ = data.front() == std::byte{'{'} ? text_() : layer_();
    writer_->write(data);
  }

  oci::Descriptor commit(oci::MediaType media_type) override {
    if (!writer_) writer_ = text_();
    return writer_->commit(std::move(media_type));
  }

 private:
  Make layer_;
  Make text_;
  std::unique_ptr<BlobWriter> writer_;
};

}  // namespace

std::unique_ptr<BlobWriter> unpacking_writer(const BlobHint& hint, ContainerStore& store,
                                             StagingDir& staging, LayerReceived received) {
  return std::make_unique<UnpackingWriter>(hint, store, staging, std::move(received));
}

std::unique_ptr<BlobWriter> text_writer(const BlobHint& hint, TextReceived received) {
  return std::make_unique<TextWriter>(hint, std::move(received));
}

std::unique_ptr<BlobWriter> guessing_writer(std::function<std::unique_ptr<BlobWriter>()> layer,
                                            std::function<std::unique_ptr<BlobWriter>()> text) {
  return std::make_unique<GuessingWriter>(std::move(layer), std::move(text));
}

}  // namespace lade
