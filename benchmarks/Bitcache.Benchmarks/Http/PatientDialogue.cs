using Bitcache.Benchmarks.Load;

namespace Bitcache.Benchmarks.Http;

/// <summary>Takes 503 for the answer that it is: nothing was paid, and the next request may do better. Belongs to one generator.</summary>
internal sealed class PatientDialogue(Dialogue inner) : Dialogue
{
    private bool _wasBusy;

    /// <summary>Requests that were answered so.</summary>
    public int Busy { get; private set; }

    /// <summary>Of the request that was answered last.</summary>
    public override int PaymentsPerRequest => _wasBusy ? 0 : inner.PaymentsPerRequest;

    public override int RequestBytesMax => inner.RequestBytesMax;
    public override int AnswerBytesMax => inner.AnswerBytesMax;

    public override int WriteRequest(Span<byte> request) => inner.WriteRequest(request);

    public override bool IsWholeAnswer(ReadOnlySpan<byte> answer)
    {
        _wasBusy = answer.StartsWith("HTTP/1.1 503 "u8);
        if (!_wasBusy) return inner.IsWholeAnswer(answer);
        // The last chunk of its body.
        if (!answer.EndsWith("\r\n0\r\n\r\n"u8)) return false;
        Busy++;
        return true;
    }
}
