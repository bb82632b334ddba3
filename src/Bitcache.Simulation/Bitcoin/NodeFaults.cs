namespace Bitcache.Simulation.Bitcoin;

/// <summary>What becomes of one call.</summary>
internal enum NodeFault
{
    None,
    /// <summary>No connection: the node never hears of it.</summary>
    Unreachable,
    /// <summary>503: not executed.</summary>
    Busy,
    /// <summary>-28: not executed.</summary>
    WarmingUp,
    /// <summary>The connection breaks before the node executes it. The caller cannot tell this from the next.</summary>
    CutBefore,
    /// <summary>Executed, and the answer is lost.</summary>
    CutAfter,
    /// <summary>The caller waits in vain; the node executes it some calls later.</summary>
    Late,
    /// <summary>Executed, and the answer cannot be read.</summary>
    Malformed,
    /// <summary>Executed; a number in the answer is none that can be.</summary>
    OutOfRange,
}

/// <summary>Decides by a seed which calls fail and how.</summary>
/// <param name="oneIn">One call in so many fails; 0 for none.</param>
/// <param name="kinds">In which ways; any if none is given.</param>
internal sealed class NodeFaults(int seed, int oneIn, params NodeFault[] kinds)
{
    private static readonly NodeFault[] All = [.. Enum.GetValues<NodeFault>().Where(f => f != NodeFault.None)];
    // Neither an amount in bitcoin nor an integer that fits; or one that does, and is no height and no time.
    private static readonly string[] NoNumbers = ["0.000000001", "21000000.00000001", "99999999999999999999", "1e400", "-0.000000001", "-1", "-2147483648"];

    private readonly NodeFault[] _kinds = kinds.Length > 0 ? kinds : All;
    private readonly Random _random = new(seed);
    private readonly Dictionary<NodeFault, int> _made = [];
    private (int After, NodeFault Fault) _planned;

    /// <summary>Whether calls fail now.</summary>
    public bool IsOn { get; set; } = true;

    /// <summary>How often each fault was made.</summary>
    public IReadOnlyDictionary<NodeFault, int> Made => _made;

    /// <summary>Whether a fault is planned that was not made yet.</summary>
    public bool IsPlanned => _planned.Fault != NodeFault.None;

    /// <summary>Has one call fail, the one after so many others, beside what the seed decides.</summary>
    public void Plan(int after, NodeFault fault) => _planned = (after, fault);

    public NodeFault Next()
    {
        var isOfSeed = IsOn && oneIn > 0 && _random.Next(oneIn) == 0;
        var isOfPlan = IsPlanned && _planned.After == 0;
        if (!isOfSeed && !isOfPlan)
        {
            if (IsPlanned) _planned.After--;
            return NodeFault.None;
        }
        var fault = isOfPlan ? _planned.Fault : _kinds[_random.Next(_kinds.Length)];
        if (isOfPlan) _planned = default;
        _made[fault] = _made.GetValueOrDefault(fault) + 1;
        return fault;
    }

    /// <summary>After how many more calls a late one is executed.</summary>
    public int NextDelay() => 1 + _random.Next(6);

    /// <summary>An answer without its end, or what something else than a node would say.</summary>
    public byte[] Damage(byte[] answer) => _random.Next(4) == 0 ? [.. "<html>502</html>"u8] : answer[.._random.Next(answer.Length)];

    /// <summary>A number of the answer's result, any of them, becomes one that cannot be.</summary>
    public string Exaggerate(string result)
    {
        var numbers = Numbers(result);
        if (numbers.Count == 0) return result;
        var (start, length) = numbers[_random.Next(numbers.Count)];
        return result[..start] + NoNumbers[_random.Next(NoNumbers.Length)] + result[(start + length)..];
    }

    /// <summary>Where numbers stand in JSON: outside of strings.</summary>
    private static List<(int Start, int Length)> Numbers(string json)
    {
        var numbers = new List<(int, int)>();
        var inText = false;
        for (var i = 0; i < json.Length; i++)
        {
            if (json[i] == '"') inText = !inText;
            if (inText || !IsOfNumber(json[i])) continue;
            var start = i;
            while (i + 1 < json.Length && IsOfNumber(json[i + 1])) i++;
            numbers.Add((start, i - start + 1));
        }
        return numbers;
    }

    private static bool IsOfNumber(char c) => char.IsAsciiDigit(c) || c is '-' or '.' or '+';
}
