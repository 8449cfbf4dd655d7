#include "libimage/copy/move_blob.h"
#include "libimage/io/pipe.h"

namespace lade {
namespace {

/// Writes one blob to several destinations, each on a thread of its own. One that fails says so in
/// its branch and is left out; when none is left, writing fails.
class ForkedBlob final : public BlobWriter {
 public:
  ForkedBlob(const std::vector<BlobBranch*>& branches, const BlobHint& hint) {
    for (BlobBranch* branch : branches) {
      attempt(*branch, [&] {
        auto writer = branch->destination->start_blob(hint);
        auto sink = std::make_unique<AsyncSink>(*writer);
        parts_.push_back({branch, std::move(writer), std::move(sink)});
      });
    }
    check_alive();
  }

  void write(ByteView data) override {
    for (Part& part : parts_) {
      if (part.sink) attempt(part, [&] { part.sink->write(data); });
    }
    check_alive();
  }

  oci::Descriptor commit(oci::MediaType media_type) override {
    std::optional<oci::Descriptor> stored;
    for (Part& part : parts_) {
      if (!part.sink) continue;
      attempt(part, [&] {
        part.sink->finish();
        stored = part.writer->commit(media_type);
      });
    }
    check_alive();
    return *std::move(stored);
  }

 private:
  struct Part {
    BlobBranch* branch;
    std::unique_ptr<BlobWriter> writer;
    std::unique_ptr<AsyncSink> sink;  ///< null: failed
  };

  template <typename Body>
  void attempt(BlobBranch& branch, const Body& body) {
    try {
      body();
      ++alive_;
    } catch (const Error& e) {
      branch.failure = e;
      last_failure_ = e;
    }
  }
  template <typename Body>
  void attempt(Part& part, const Body& body) {
    try {
      body();
    } catch (const Error& e) {
      part.sink.reset();
      part.writer.reset();
      part.branch->failure = e;
      last_failure_ = e;
      --alive_;
    }
  }
  void check_alive() const {
    if (alive_ == 0) throw Error(*last_failure_);
  }

  std::vector<Part> parts_;
  std::size_t alive_ = 0;
  std::optional<Error> last_failure_;
};

/// Several destinations as one, for a single blob.
class Fork final : public Writer {
 public:
  explicit Fork(std::vector<BlobBranch*> branches) : branches_(std::move(branches)) {}
  bool contains(const oci::Descriptor& /*blob*/) override { return false; }
  std::unique_ptr<BlobWriter> start_blob(const BlobHint& hint) override {
    return std::make_unique<ForkedBlob>(branches_, hint);
  }
  void put_manifest(const oci::Descriptor& /*descriptor*/, std::string_view /*raw*/) override {
    throw Error(Errc::internal, "a fork takes blobs only");
  }
  void tag(const Tag& /*tag*/, const oci::Descriptor& /*descriptor*/) override {
    throw Error(Errc::internal, "a fork takes blobs only");
  }

 private:
  std::vector<BlobBranch*> branches_;
};

}  // namespace

SharedBranch::SharedBranch(std::vector<BlobBranch*> branches)
    : branches_(std::move(branches)),
      fork_(std::make_unique<Fork>(branches_)),
      branch_{.planned = branches_.front()->planned,
              .destination = fork_.get(),
              .family = branches_.front()->family} {}

SharedBranch::~SharedBranch() = default;

void SharedBranch::hand_out() {
  for (BlobBranch* branch : branches_) {
    if (branch->failure) continue;
    branch->moved = branch_.moved;
    branch->failure = branch_.failure;
  }
}

}  // namespace lade
