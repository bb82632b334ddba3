using Bitcache.Engine;
using Bitcache.Tests.Api;

namespace Bitcache.Tests.Settlement;

[Trait("suite", "core")]
public sealed class RecentTests
{
    private static readonly TimeSpan AgeMax = TimeSpan.FromSeconds(1);
    private readonly ManualTime _time = new();
    private readonly List<TaskCompletionSource<string>> _questions = [];
    private readonly Recent<string> _recent;

    public RecentTests() => _recent = new Recent<string>(
        () =>
        {
            _questions.Add(new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously));
            return _questions[^1].Task;
        },
        AgeMax, _time);

    [Fact]
    public async Task While_a_question_is_under_way_nobody_asks_another()
    {
        var first = _recent.GetAsync();
        var second = _recent.GetAsync();
        Assert.Single(_questions);
        _questions[0].SetResult("a");
        Assert.Equal(("a", "a"), (await first, await second));
    }

    [Fact]
    public async Task An_answer_is_good_for_a_while_from_when_it_was_asked_for()
    {
        var first = _recent.GetAsync();
        _time.Advance(AgeMax / 2);
        _questions[0].SetResult("a");
        Assert.Equal("a", await first);
        _time.Advance(AgeMax / 4);
        Assert.Equal("a", await _recent.GetAsync());
        Assert.Single(_questions);
        _time.Advance(AgeMax / 4);
        var next = _recent.GetAsync();
        Assert.Equal(2, _questions.Count);
        _questions[1].SetResult("b");
        Assert.Equal("b", await next);
    }

    [Fact]
    public async Task What_went_wrong_is_not_kept()
    {
        var first = _recent.GetAsync();
        _questions[0].SetException(new TimeoutException());
        await Assert.ThrowsAsync<TimeoutException>(first.AsTask);
        var second = _recent.GetAsync();
        _questions[1].SetResult("a");
        Assert.Equal("a", await second);
    }
}
