using System.Reflection;

namespace Bitcache.Tests.Bitcoin.Scripts;

/// <summary>All scripts, by name.</summary>
internal static class NodeScripts
{
    private static readonly Dictionary<string, MethodInfo> All = new[] { typeof(AddressScripts), typeof(DepositScripts), typeof(PayoutScripts), typeof(WalletScripts), typeof(WatchScripts) }
        .SelectMany(t => t.GetMethods(BindingFlags.Static | BindingFlags.Public)).ToDictionary(m => m.Name);

    public static IEnumerable<string> Names => All.Keys.Order(StringComparer.Ordinal);

    public static Task RunAsync(string name, INodeStage stage) => All[name].CreateDelegate<Func<INodeStage, Task>>()(stage);
}
